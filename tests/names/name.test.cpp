// SPDX-License-Identifier: BSL-1.0
// Goal: every abuse of a name is refused with its own reason, nothing that is allowed is refused,
// and the file names made of names can neither collide nor leave their directory.
#include <partywall/name.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace partywall {
namespace {

using namespace std::literals;
using std::string;
using std::string_view;

testing::AssertionResult refuses(result<void, name_errc> const& got, name_errc expected) {
    if (got.has_value()) {
        return testing::AssertionFailure() << "it is accepted";
    }
    if (got.error() != expected) {
        return testing::AssertionFailure() << "the reason is: " << to_string(got.error());
    }
    return testing::AssertionSuccess();
}

constexpr string_view good_anywhere[] = {
    "a",
    "market",
    "EURUSD",
    "x-1_2.3",
    ".hidden",
    "a.",
    "...",
    "a b",
    "a%2Fb",
    "~",
    "*",
    "\\",
    "caf\xc3\xa9",
    "\xe6\x97\xa5\xe6\x9c\xac",
    "\xf0\x9f\xa6\x80",
    "\xf4\x8f\xbf\xbf",
};

constexpr string_view not_utf8[] = {
    "\x80",
    "\xbf",
    "a\xc3",
    "\xc3(",
    "\xc0\xaf",
    "\xc1\xbf",
    "\xe0\x9f\xbf",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xe2(\xa1",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xff",
    "\xfe",
    "\xf0\x9f\xa6",
    "\xf0\x9f\xa6(",
    "ok\xf0\x9f(\x80",
    "\xe2\x82\x28",
};

TEST(Names, OfEveryKindMayHoldPrintableText) {
    for (string_view name : good_anywhere) {
        EXPECT_TRUE(check_name(name)) << name;
        EXPECT_TRUE(check_domain(name)) << name;
        EXPECT_TRUE(check_participant_name(name)) << name;
    }
}

TEST(Names, OfEveryKindMayNotBeEmpty) {
    EXPECT_TRUE(refuses(check_name(""), name_errc::empty));
    EXPECT_TRUE(refuses(check_domain(""), name_errc::empty));
    EXPECT_TRUE(refuses(check_participant_name({}), name_errc::empty));
}

TEST(Names, MayBeExactlyAsLongAsTheirLimit) {
    EXPECT_TRUE(check_name(string(name_bytes_max, 'n')));
    EXPECT_TRUE(refuses(check_name(string(name_bytes_max + 1, 'n')), name_errc::too_long));
    EXPECT_TRUE(check_domain(string(domain_bytes_max, 'd')));
    EXPECT_TRUE(refuses(check_domain(string(domain_bytes_max + 1, 'd')), name_errc::too_long));
    EXPECT_TRUE(check_participant_name(string(participant_name_bytes_max, 'p')));
    EXPECT_TRUE(refuses(check_participant_name(string(participant_name_bytes_max + 1, 'p')),
                        name_errc::too_long));
    EXPECT_TRUE(refuses(check_name(string(1 << 20, '\0')), name_errc::too_long));
}

TEST(Names, MayNotHoldAnyControlByteAnywhere) {
    for (int byte = 0; byte < 256; ++byte) {
        for (string name : {"x"s, "x/y"s}) {
            for (std::size_t at = 0; at <= name.size(); ++at) {
                string spoiled = name;
                spoiled.insert(at, 1, static_cast<char>(byte));
                if (byte < 0x20 || byte == 0x7f) {
                    EXPECT_TRUE(refuses(check_name(spoiled), name_errc::bad_byte)) << byte;
                    EXPECT_TRUE(refuses(check_domain(spoiled), name_errc::bad_byte)) << byte;
                    EXPECT_TRUE(refuses(check_participant_name(spoiled), name_errc::bad_byte))
                        << byte;
                } else if (byte >= 0x80) {
                    EXPECT_TRUE(refuses(check_name(spoiled), name_errc::bad_utf8)) << byte;
                } else {
                    EXPECT_TRUE(check_domain(spoiled)) << byte;
                    EXPECT_TRUE(check_participant_name(spoiled)) << byte;
                }
            }
        }
    }
}

TEST(Names, MustBeUtf8) {
    for (string_view name : not_utf8) {
        EXPECT_TRUE(refuses(check_name(name), name_errc::bad_utf8)) << testing::PrintToString(name);
        EXPECT_TRUE(refuses(check_domain(name), name_errc::bad_utf8));
        EXPECT_TRUE(refuses(check_participant_name(name), name_errc::bad_utf8));
    }
}

TEST(Names, AcceptExactlyTheSequencesThatEncodeAUnicodeScalar) {
    // All sequences of two and three bytes, against the set that an encoder makes.
    std::vector<bool> two(1u << 16);
    std::vector<bool> three(1u << 24);
    for (unsigned c = 0x80; c < 0x10000; ++c) {
        if (c < 0x800) {
            two[(0xc0 | c >> 6) << 8 | 0x80 | (c & 0x3f)] = true;
        } else if (c < 0xd800 || c >= 0xe000) {
            three[(0xe0 | c >> 12) << 16 | (0x80 | (c >> 6 & 0x3f)) << 8 | 0x80 | (c & 0x3f)] =
                true;
        }
    }
    unsigned wrong = 0;
    for (unsigned a = 0x80; a < 0x100; ++a) {
        for (unsigned b = 0x80; b < 0x100; ++b) {
            char bytes[3] = {static_cast<char>(a), static_cast<char>(b), 'x'};
            bool const valid = two[a << 8 | b];
            wrong += check_name({bytes, 2}).has_value() != valid;
            wrong += check_name({bytes, 3}).has_value() != valid;
            for (unsigned c = 0x80; c < 0x100; ++c) {
                bytes[2] = static_cast<char>(c);
                wrong += check_name({bytes, 3}).has_value() != three[a << 16 | b << 8 | c];
            }
        }
    }
    EXPECT_EQ(wrong, 0u);
}

TEST(Names, OfEndpointsMayNotHaveEmptyOrDotComponents) {
    for (string_view name : {"/", "//", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/./b",
                             "../a", "a/..", "a/../b", "/.."}) {
        EXPECT_TRUE(refuses(check_name(name), name_errc::bad_component)) << name;
        EXPECT_TRUE(check_domain(name)) << name;
        EXPECT_TRUE(check_participant_name(name)) << name;
    }
    for (string_view name : {"a/b", "a/b/c", "a/...", "a/.b", "a/b.", "..a/b"}) {
        EXPECT_TRUE(check_name(name)) << name;
    }
}

TEST(NameMessages, NameTheObjectAndTheReason) {
    auto const endpoint = [](name_errc e, string_view name) {
        return explain(e, name_kind::endpoint, name);
    };
    EXPECT_EQ(endpoint(name_errc::empty, ""), "the name \"\" is empty");
    EXPECT_EQ(endpoint(name_errc::bad_component, "a//b"),
              "the name \"a//b\" has an empty component");
    EXPECT_EQ(endpoint(name_errc::bad_component, "a/../b"),
              "the name \"a/../b\" has the component \"..\"");
    EXPECT_EQ(endpoint(name_errc::bad_byte, "a\0b"sv),
              "the name \"a\\x00b\" has a control byte (0x00) at offset 1");
    EXPECT_EQ(endpoint(name_errc::bad_utf8, "caf\xe9"),
              "the name \"caf\\xE9\" is not UTF-8 at offset 3");
    EXPECT_EQ(explain(name_errc::too_long, name_kind::domain, string(65, 'd')),
              "the domain \"" + string(65, 'd') + "\" has 65 bytes, at most 64 are allowed");
    EXPECT_EQ(explain(name_errc::too_long, name_kind::participant, string(1000, 'p')),
              "the participant name \"" + string(96, 'p') +
                  "...\" has 1000 bytes, at most 64 are allowed");
    EXPECT_NE(endpoint(name_errc::too_long, string(300, 'x')).find("at most 200"), string::npos);
}

TEST(NameMessages, EscapeWhatCouldHarmATerminalAndKeepWhatCanBeRead) {
    EXPECT_EQ(explain(name_errc::bad_byte, name_kind::endpoint, "\x1b[31mred\"\\"),
              "the name \"\\x1B[31mred\\\"\\\\\" has a control byte (0x1B) at offset 0");
    EXPECT_EQ(explain(name_errc::too_long, name_kind::endpoint, "\xc2\x9b!caf\xc3\xa9"),
              "the name \"\\xC2\\x9B!caf\xc3\xa9\" has 8 bytes, at most 200 are allowed");
    // Cut between characters, never inside of one.
    string const crabs = explain(
        name_errc::too_long, name_kind::endpoint, "a" + [] {
            string s;
            for (int i = 0; i < 100; ++i) {
                s += "\xf0\x9f\xa6\x80";
            }
            return s;
        }());
    EXPECT_NE(crabs.find("\xf0\x9f\xa6\x80...\""), string::npos) << crabs;
}

TEST(NameMessages, ExistForEveryCode) {
    std::set<string_view> texts;
    for (auto e : {name_errc::empty, name_errc::too_long, name_errc::bad_byte, name_errc::bad_utf8,
                   name_errc::bad_component}) {
        texts.insert(to_string(e));
        // Also when the name does not have the fault that the code claims.
        EXPECT_FALSE(explain(e, name_kind::endpoint, "fine").empty());
    }
    EXPECT_EQ(texts.size(), 5u);
    EXPECT_EQ(to_string(static_cast<name_errc>(99)), "unknown name error");
}

bool is_safe_file_name(string_view s) {
    return s.find('/') == string_view::npos && s.find('\0') == string_view::npos &&
           !s.starts_with('.') &&
           s.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                               "stuvwxyz0123456789._-%") == string_view::npos;
}

TEST(NameEncoding, IsWhatTheFormatSays) {
    EXPECT_EQ(encode_component("default"), "default");
    EXPECT_EQ(encode_component("a/b"), "a%2Fb");
    EXPECT_EQ(encode_component("a%2Fb"), "a%252Fb");
    EXPECT_EQ(encode_component("."), "%2E");
    EXPECT_EQ(encode_component(".."), "%2E.");
    EXPECT_EQ(encode_component("a.b-c_D9"), "a.b-c_D9");
    EXPECT_EQ(encode_component("\xc3\xa9 ~\0"sv), "%C3%A9%20%7E%00");
    EXPECT_EQ(encode_component(""), "");
}

TEST(NameEncoding, IsInjectiveAndSafeForAllStringsOfTwoBytes) {
    std::set<string> seen;
    for (int a = -1; a < 256; ++a) {
        for (int b = a < 0 ? 255 : -1; b < 256; ++b) {
            string bytes;
            if (a >= 0) {
                bytes += static_cast<char>(a);
            }
            if (b >= 0 && a >= 0) {
                bytes += static_cast<char>(b);
            }
            string const encoded = encode_component(bytes);
            ASSERT_TRUE(seen.insert(encoded).second) << encoded;
            ASSERT_TRUE(is_safe_file_name(encoded)) << encoded;
            ASSERT_EQ(decode_component(encoded), bytes);
        }
    }
    EXPECT_EQ(seen.size(), 1u + 256u + 65536u);
}

TEST(NameEncoding, RoundTripsRandomBytesWithinItsLengthBound) {
    std::mt19937 random(20240229);
    // Weighted towards what the encoding treats specially.
    string_view const special = "./%%2FfA.\0_-"sv;
    std::map<string, string> made;
    for (int i = 0; i < 20'000; ++i) {
        string bytes(random() % (domain_bytes_max + 1), '\0');
        for (char& c : bytes) {
            c = random() % 2 ? special[random() % special.size()] : static_cast<char>(random());
        }
        string const encoded = encode_component(bytes);
        ASSERT_TRUE(is_safe_file_name(encoded)) << encoded;
        ASSERT_LE(encoded.size(), 3 * bytes.size());
        ASSERT_EQ(decode_component(encoded), bytes);
        auto const [at, inserted] = made.emplace(encoded, bytes);
        ASSERT_EQ(at->second, bytes) << "two names, one file name";
    }
    EXPECT_EQ(encode_component(string(domain_bytes_max, '/')).size(), 3 * domain_bytes_max);
}

TEST(NameEncoding, DecodesNothingButItsOwnOutput) {
    for (string_view foreign : {"%", "%2", "%2f", "%2G", "%G2", "%41", "a%2E", "a%5F", ".", ".a",
                                "a/b", "a b", "\xc3\xa9", "%%", "a%", "a%2", "%2E%2E"}) {
        EXPECT_EQ(decode_component(foreign), std::nullopt) << foreign;
    }
    // Whatever is decoded encodes to the same again: no two file names for one domain.
    std::mt19937 random(7);
    string_view const alphabet = "%%%2EFAa./-4";
    int decoded = 0;
    for (int i = 0; i < 50'000; ++i) {
        string text(random() % 7, '\0');
        for (char& c : text) {
            c = alphabet[random() % alphabet.size()];
        }
        if (auto const bytes = decode_component(text)) {
            ASSERT_EQ(encode_component(*bytes), text);
            ++decoded;
        }
    }
    EXPECT_GT(decoded, 1000);
}

} // namespace
} // namespace partywall
