// SPDX-License-Identifier: BSL-1.0
#include <partywall/error.hpp>
#include <partywall/segment/segment.hpp>

#include "support/role.hpp"
#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"
#include "umask_guard.hpp"
#include "ways.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/time.h>
#include <unistd.h>

namespace partywall {
namespace {

namespace fs = std::filesystem;
using test::way;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr segment_id ring_id{segment_kind::ring, 7, 1};
constexpr segment_spec ring_spec{ring_id, 3, 0xabcdef, 5000, 99};

/// By each way in which a file can get its name.
class CreateSegment : public testing::TestWithParam<way> {
  protected:
    void SetUp() override { test::use(GetParam()); }
    void TearDown() override { test::use(way::unnamed); }

    test::scratch_root root_;
    directory const where_ = open_directory(root_.path(), "dom", sharing::owner_only, true).value();
    std::string const path_ = where_.path_of("ring.7.1");
};

INSTANTIATE_TEST_SUITE_P(Way, CreateSegment,
                         testing::Values(way::unnamed, way::no_tmpfile, way::no_proc),
                         [](auto const& with) { return test::name_of(with.param); });

TEST_P(CreateSegment, IsWholeBackedAndZeroBehindItsHeader) {
    for (std::uint64_t const bytes : {128U, 129U, 4096U, 5000U, 1U << 20}) {
        segment_spec spec = ring_spec;
        spec.bytes = bytes;
        auto const made = create_segment(where_, spec, nullptr, nullptr);
        ASSERT_TRUE(made) << made.error().message;
        EXPECT_EQ(made->size(), bytes);
        EXPECT_EQ(made->header().magic, segment_magic);
        EXPECT_EQ(made->header().total_bytes, bytes);
        EXPECT_EQ(made->incarnation(), 99U);
        EXPECT_EQ(made->identity(), os::identity_of(path_.c_str()));
        EXPECT_TRUE(std::all_of(made->data() + 128, made->data() + bytes,
                                [](std::byte b) { return b == std::byte{0}; }));
        struct stat status {};
        ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
        EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), bytes);
        EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, bytes);
        EXPECT_EQ(status.st_nlink, 1U);
        EXPECT_THAT(root_.leftovers(), ElementsAre("dom/", "dom/ring.7.1"));
        ASSERT_EQ(unlink_segment(where_, ring_id), 0);
    }
}

TEST_P(CreateSegment, CanBeAttachedBothWays) {
    auto const made = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_TRUE(made);
    made->data()[4999] = std::byte{42};
    for (access const how : {access::read_only, access::read_write}) {
        auto const attached = attach_segment(where_, {ring_id, 3, 0xabcdef}, how);
        ASSERT_TRUE(attached) << attached.error().message;
        EXPECT_EQ(attached->size(), 5000U);
        EXPECT_EQ(attached->incarnation(), 99U);
        EXPECT_EQ(attached->identity(), made->identity());
        EXPECT_EQ(attached->data()[4999], std::byte{42});
    }
}

TEST_P(CreateSegment, HasExactPermissionsWhateverTheUmask) {
    for (mode_t const mask : {0000U, 0022U, 0077U, 0777U}) {
        test::umask_guard const guard(mask);
        ASSERT_TRUE(create_segment(where_, ring_spec, nullptr, nullptr));
        EXPECT_EQ(test::mode_of(path_), 0600U) << std::oct << mask;
        EXPECT_TRUE(attach_segment(where_, {ring_id, 3, 0xabcdef}, access::read_write));
        ASSERT_EQ(unlink_segment(where_, ring_id), 0);
    }
}

TEST_P(CreateSegment, HasNoNameWhileItIsFilled) {
    struct seen_by_fill {
        directory const* where;
        bool whole = false;
    } seen{&where_};
    auto const made = create_segment(
        where_, ring_spec,
        [](std::byte* base, void* context) {
            auto& s = *static_cast<seen_by_fill*>(context);
            auto const& header = *reinterpret_cast<segment_header const*>(base);
            s.whole = header.total_bytes == 5000 && list_segments(*s.where).empty() &&
                      !attach_segment(*s.where, {ring_id, 3, 0xabcdef}, access::read_only);
            base[128] = std::byte{1};
        },
        &seen);
    ASSERT_TRUE(made);
    EXPECT_TRUE(seen.whole);
    EXPECT_EQ(made->data()[128], std::byte{1});
    EXPECT_THAT(list_segments(where_), ElementsAre(ring_id));
}

TEST_P(CreateSegment, ATakenNameIsRefusedAndItsFileLeftAlone) {
    auto const first = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_TRUE(first);
    auto const second = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, segment_errc::exists);
    EXPECT_THAT(second.error().message, HasSubstr(path_));
    EXPECT_EQ(os::identity_of(path_.c_str()), first->identity());
}

TEST_P(CreateSegment, OfTwoCreatorsTheOneWhoNamesItFirstWinsAndTheOtherLeavesNothing) {
    struct rival {
        directory const* where;
        mapping made;
    } rival{&where_, {}};
    auto const late = create_segment(
        where_, ring_spec,
        [](std::byte*, void* context) {
            auto& r = *static_cast<struct rival*>(context);
            r.made = create_segment(*r.where, ring_spec, nullptr, nullptr).value();
        },
        &rival);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, segment_errc::exists);
    EXPECT_EQ(os::identity_of(path_.c_str()), rival.made.identity());
    EXPECT_THAT(root_.leftovers(), ElementsAre("dom/", "dom/ring.7.1"));
}

TEST_P(CreateSegment, WhateverHasTheNameIsNotTouched) {
    std::string const target = root_.path() + "/target";
    std::ofstream(target) << "precious";
    fs::create_symlink(target, path_);
    auto const r = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, segment_errc::exists);
    EXPECT_TRUE(fs::is_symlink(path_));
    EXPECT_EQ(fs::file_size(target), 8U);
    fs::remove(path_);
    fs::create_symlink(root_.path() + "/nowhere", path_);
    EXPECT_FALSE(create_segment(where_, ring_spec, nullptr, nullptr));
    EXPECT_FALSE(fs::exists(root_.path() + "/nowhere"));
}

TEST_P(CreateSegment, NonsenseIsRefusedBeforeAnythingIsMade) {
    auto const code_of = [&](segment_spec const& spec) {
        auto const r = create_segment(where_, spec, nullptr, nullptr);
        return r ? std::string("made") : std::string(to_string(r.error().code));
    };
    segment_spec spec = ring_spec;
    spec.bytes = 127;
    EXPECT_EQ(code_of(spec), "bad argument");
    spec.bytes = 0;
    EXPECT_EQ(code_of(spec), "bad argument");
    spec.bytes = segment_bytes_max + 1;
    EXPECT_EQ(code_of(spec), "too large");
    spec.bytes = UINT64_MAX;
    EXPECT_EQ(code_of(spec), "too large");
    spec = ring_spec;
    spec.id.ticket = ticket_max + 1;
    EXPECT_EQ(code_of(spec), "bad argument");
    EXPECT_THAT(root_.leftovers(), ElementsAre("dom/"));
}

TEST_P(CreateSegment, MoreThanTheFileSystemHasIsNoSpace) {
    segment_spec spec = ring_spec;
    spec.bytes = segment_bytes_max; // 1 TiB
    auto const r = create_segment(where_, spec, nullptr, nullptr);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, segment_errc::no_space);
    EXPECT_EQ(r.error().os_error, ENOSPC);
    EXPECT_THAT(r.error().message, HasSubstr(std::to_string(segment_bytes_max)));
    EXPECT_THAT(root_.leftovers(), ElementsAre("dom/"));
}

TEST_P(CreateSegment, ADirectoryThatIsGoneIsNotFound) {
    fs::remove(where_.path());
    auto const r = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, segment_errc::not_found);
    EXPECT_TRUE(list_segments(where_).empty());
    EXPECT_EQ(sweep_temporaries(where_), 0U);
    EXPECT_EQ(unlink_segment(where_, ring_id), ENOENT);
}

PARTYWALL_ROLE(is_killed_while_it_fills) {
    test::use(static_cast<way>(context.number(1)));
    auto const where = open_directory(context.arg(0), "dom", sharing::owner_only, false);
    (void)create_segment(
        *where, ring_spec,
        [](std::byte*, void* argument) {
            auto& c = *static_cast<test::role_context*>(argument);
            c.send("filling");
            c.hang();
        },
        &context);
    return 1;
}

TEST_P(CreateSegment, AKilledCreatorLeavesNothingThatASweepDoesNotRemove) {
    test::child creator = test::spawn("is_killed_while_it_fills",
                                      {root_.path(), std::to_string(static_cast<int>(GetParam()))});
    creator.expect("filling");
    bool const named = GetParam() != way::unnamed;
    std::size_t const files = named ? 1 : 0;
    EXPECT_EQ(root_.leftovers().size(), 1 + files);
    EXPECT_TRUE(list_segments(where_).empty());
    EXPECT_EQ(sweep_temporaries(where_), 0U) << "its creator lives";
    creator.stop();
    EXPECT_EQ(sweep_temporaries(where_), 0U) << "it still lives";
    EXPECT_EQ(root_.leftovers().size(), 1 + files);

    creator.kill(SIGKILL);
    EXPECT_EQ(creator.wait(), test::killed_by(SIGKILL));
    test::eventually([&] { return sweep_temporaries(where_) == files; });
    EXPECT_THAT(root_.leftovers(), ElementsAre("dom/"));
    EXPECT_TRUE(create_segment(where_, ring_spec, nullptr, nullptr));
}

TEST_P(CreateSegment, SurvivesSignalsThatComeAllTheTime) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    struct sigaction old {};
    ASSERT_EQ(::sigaction(SIGALRM, &action, &old), 0);
    itimerval const often{{0, 200}, {0, 200}};
    itimerval const never{};
    ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
    segment_spec spec = ring_spec;
    spec.bytes = 20U << 20;
    auto const made = create_segment(where_, spec, nullptr, nullptr);
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &old, nullptr);
    EXPECT_TRUE(made) << made.error().message;
}

PARTYWALL_ROLE(creates_or_attaches) {
    test::use(static_cast<way>(context.number(1)));
    auto const where = open_directory(context.arg(0), "dom", sharing::owner_only, false);
    context.send("ready");
    context.expect("go");
    auto made = create_segment(*where, ring_spec, nullptr, nullptr);
    if (!made && made.error().code == segment_errc::exists) {
        made = attach_segment(*where, {ring_id, 3, 0xabcdef}, access::read_write);
    }
    context.send(made ? std::to_string(made->identity().ino) : made.error().message);
    return 0;
}

TEST_P(CreateSegment, ManyWhoNeedOneAtOnceGetTheSameOne) {
    std::vector<test::child> many;
    for (int i = 0; i < 5; ++i) {
        many.push_back(test::spawn("creates_or_attaches",
                                   {root_.path(), std::to_string(static_cast<int>(GetParam()))}));
        many.back().expect("ready");
    }
    for (test::child& one : many) {
        one.send("go");
    }
    std::string const first = many.front().receive();
    for (std::size_t i = 1; i < many.size(); ++i) {
        EXPECT_EQ(many[i].receive(), first);
    }
    EXPECT_THAT(root_.leftovers(), ElementsAre("dom/", "dom/ring.7.1"));
}

class Segments : public testing::Test {
  protected:
    test::scratch_root root_;
    directory const where_ = open_directory(root_.path(), "dom", sharing::owner_only, true).value();
};

TEST_F(Segments, AreListedByNameAndNothingElseIs) {
    segment_id const registry{segment_kind::registry};
    segment_id const life{segment_kind::life, 3};
    for (segment_id const& id : {registry, life, ring_id}) {
        segment_spec spec = ring_spec;
        spec.id = id;
        ASSERT_TRUE(create_segment(where_, spec, nullptr, nullptr));
    }
    for (char const* const name : {"registry.lock", "ring.7.01", ".tmp.7.0123456789abcdef", "x"}) {
        std::ofstream(where_.path_of(name)) << 'x';
    }
    EXPECT_THAT(list_segments(where_), testing::UnorderedElementsAre(registry, life, ring_id));
}

TEST_F(Segments, LoseTheirNameAndKeepTheirMemory) {
    auto const made = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_TRUE(made);
    EXPECT_EQ(unlink_segment(where_, ring_id), 0);
    EXPECT_EQ(unlink_segment(where_, ring_id), ENOENT);
    EXPECT_EQ(unlink_segment(where_, {segment_kind::ring, 0, 0}), EINVAL);
    made->data()[4999] = std::byte{1};
    EXPECT_EQ(made->header().magic, segment_magic);
    auto const next = create_segment(where_, ring_spec, nullptr, nullptr);
    ASSERT_TRUE(next);
    EXPECT_NE(next->identity(), made->identity());
    EXPECT_EQ(next->data()[4999], std::byte{0});
}

TEST_F(Segments, UnlinkingRemovesNeitherDirectoriesNorWhatALinkNames) {
    std::string const path = where_.path_of("ring.7.1");
    fs::create_directory(path);
    EXPECT_EQ(unlink_segment(where_, ring_id), EISDIR);
    fs::remove(path);
    std::string const target = root_.path() + "/target";
    std::ofstream(target) << "precious";
    fs::create_symlink(target, path);
    EXPECT_EQ(unlink_segment(where_, ring_id), 0);
    EXPECT_EQ(fs::file_size(target), 8U);
}

TEST_F(Segments, ASweepTakesNothingButTemporaries) {
    for (char const* const name :
         {".tmp.7.0123456789abcdef", ".tmp.7.0123456789abcdeg", ".tmp.7.0123456789abcde",
          ".tmp..0123456789abcdef", ".tmp.x.0123456789abcdef", "tmp.7.0123456789abcdef",
          ".tmp.7.0123456789abcdef0", "registry.lock", "ring.7.1"}) {
        std::ofstream(where_.path_of(name)) << 'x';
    }
    fs::create_directory(where_.path_of(".tmp.8.0123456789abcdef"));
    fs::create_symlink("ring.7.1", where_.path_of(".tmp.9.0123456789abcdef"));
    EXPECT_EQ(sweep_temporaries(where_), 1U);
    EXPECT_FALSE(fs::exists(where_.path_of(".tmp.7.0123456789abcdef")));
    EXPECT_EQ(root_.leftovers().size(), 11U);
}

TEST_F(Segments, AMappingMovesAndIsEmptyAfterwards) {
    mapping first = create_segment(where_, ring_spec, nullptr, nullptr).value();
    std::byte* const data = first.data();
    mapping second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): empty is what is promised
    EXPECT_EQ(first.size(), 0U);
    EXPECT_EQ(second.data(), data);
    first = std::move(second);
    EXPECT_EQ(first.data(), data);
    EXPECT_EQ(first.size(), 5000U);
    first.reset();
    EXPECT_FALSE(first);
    EXPECT_EQ(first.data(), nullptr);
}

TEST_F(Segments, EveryErrorHasAName) {
    for (int code = 0; code <= static_cast<int>(segment_errc::system); ++code) {
        EXPECT_NE(to_string(static_cast<segment_errc>(code)), "unknown segment error") << code;
    }
}

TEST_F(Segments, AValueThatIsNotThereIsAnExceptionWithTheWholeMessage) {
    try {
        (void)attach_segment(where_, {ring_id, 1, 1}, access::read_only).value();
        ADD_FAILURE() << "no exception";
    } catch (error const& e) {
        EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("cannot attach " + where_.path()),
                                             HasSubstr("is not there"), HasSubstr(__FILE__)));
    }
}

} // namespace
} // namespace partywall
