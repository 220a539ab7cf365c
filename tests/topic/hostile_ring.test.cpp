// SPDX-License-Identifier: BSL-1.0
// A publisher that writes whatever it likes into its own segments. Whoever attaches, or reads on,
// gets an error or some message of the type's own bytes, in bounded time; and reads nothing
// outside. (Bounds are what the sanitizers watch here.)
#include "large.hpp"

#include <support/counts.hpp>
#include <support/nasty.hpp>

#include <partywall/registry/registry_layout.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <random>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

struct attempt {
    participant& as;
    template <class T>
    void run(subscriber_options options) {
        for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
            options.delivery = kind;
            options.history = 100;
            if (auto sub = as.subscriber<T>("t", options)) {
                use_up(*sub);
            }
        }
        options.delivery = delivery::lossy;
        if (auto value = as.latest<T>("t", options)) {
            (void)value->get();
            (void)value->get();
        }
        options.any_type = true;
        if (auto sub = as.subscriber<bytes>("t", options)) {
            use_up(*sub);
        }
    }
};

publisher_options small_ones() {
    publisher_options options = gated(8);
    options.payload_bytes_max = 40;
    return options;
}

template <class T, class Send>
void with_every_constant_wrong(publisher_options const& options, Send const& send) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    auto pub = hostile.publisher<T>("t", options).value();
    for (int i = 0; i < 5; ++i) {
        send(pub);
    }
    tampered_topic topic(hostile, "t");
    auto const good = topic.ring().constants;
    auto* const words = reinterpret_cast<std::uint32_t*>(&topic.ring().constants);
    for (std::size_t i = 0; i < sizeof good / 4; ++i) { // as 32-bit words
        for (std::uint64_t const value : nasty) {
            words[i] = static_cast<std::uint32_t>(value);
            attempt{me}.run<T>({});
        }
        topic.ring().constants = good;
    }
    std::uint64_t* const fields[] = {
        &topic.ring().constants.start_position,   &topic.ring().constants.cell_count,
        &topic.ring().constants.stride,           &topic.ring().constants.payload_bytes_max,
        &topic.ring().constants.type_fingerprint, &topic.ring().constants.pool.offset,
        &topic.ring().constants.pool.chunk_bytes, &topic.ring().constants.pool.payload_bytes_max};
    for (std::uint64_t* const field : fields) {
        for (std::uint64_t const value : nasty) {
            *field = value;
            attempt{me}.run<T>({});
        }
        topic.ring().constants = good;
    }
    auto const slots = topic.readers().constants;
    for (std::uint64_t const value : nasty) {
        topic.readers().constants.slot_count = static_cast<std::uint32_t>(value);
        attempt{me}.run<T>({});
        topic.readers().constants = slots;
        topic.readers().constants.slot_bytes = static_cast<std::uint32_t>(value);
        attempt{me}.run<T>({});
        topic.readers().constants = slots;
    }
    auto sub = me.subscriber<T>("t", lossy(5)).value(); // and with everything right again
    EXPECT_TRUE(sub.try_receive());
}

TEST(HostileRing, WithAnyConstantWrongIsRefusedOrReadWithinItsBounds) {
    with_every_constant_wrong<tick>(small_ones(), [](auto& pub) { (void)pub.send(tick::of(1)); });
}

TEST(HostileRing, OfVariableLengthWithAnyConstantWrongIsRefusedOrReadWithinItsBounds) {
    with_every_constant_wrong<bytes>(small_ones(), [](auto& pub) { (void)pub.send("hello"); });
}

TEST(HostileRing, WithChunksAndAnyConstantWrongIsRefusedOrReadWithinItsBounds) {
    with_every_constant_wrong<bytes>(with_chunks(gated(8), 3000),
                                     [](auto& pub) { (void)pub.send(pattern(1, 2000)); });
}

TEST(HostileRing, OfLargeMessagesWithAnyConstantWrongIsRefusedOrReadWithinItsBounds) {
    with_every_constant_wrong<picture>(gated(4), [](auto& pub) { (void)pub.send(picture::of(1)); });
}

/// Whatever a cell says of where its message lies.
template <class T, class Send>
void with_every_descriptor_wrong(publisher_options const& options, Send const& send) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    std::uint64_t bounded = 0;
    for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
        auto pub = hostile.publisher<T>("t", options).value();
        std::uint64_t const most = pub.payload_bytes_max();
        for (std::uint64_t const code : nasty) {
            for (std::size_t i = 0; i <= nasty.size(); ++i) {
                std::uint64_t const length = i < nasty.size() ? nasty[i] : most;
                subscriber_options reading;
                reading.delivery = kind;
                auto sub = me.subscriber<T>("t", reading).value();
                send(pub);
                std::uint64_t const at = pub.position() - 1;
                tampered_topic topic(hostile, "t");
                topic.cell(at % options.depth)[1] = code << 40 ^ length;
                auto const s = sub.try_receive();
                if (!s) {
                    EXPECT_EQ(s.error(), receive_errc::corrupt);
                    continue;
                }
                std::span<std::byte const> seen;
                if constexpr (std::is_same_v<T, ::partywall::bytes>) {
                    seen = *s;
                } else {
                    seen = std::as_bytes(std::span(&*s, 1));
                }
                ASSERT_LE(seen.size(), most);
                unsigned sum = 0; // a sanitizer, or the end of the mapping, says if it is outside
                for (std::byte const b : seen) {
                    sum += static_cast<unsigned>(b);
                }
                bounded += sum != ~0U ? 1 : 0;
            }
        }
    }
    EXPECT_GT(bounded, 0U);
}

TEST(HostileRing, WhoseCellsNameAnyChunkAndLengthIsReadWithinItsBounds) {
    with_every_descriptor_wrong<bytes>(with_chunks(gated(4), 3000),
                                       [](auto& pub) { (void)pub.send(pattern(1, 2000)); });
}

TEST(HostileRing, OfLargeMessagesWhoseCellsNameAnyChunkIsReadWithinItsBounds) {
    with_every_descriptor_wrong<picture>(gated(4),
                                         [](auto& pub) { (void)pub.send(picture::of(1)); });
}

TEST(HostileReader, WhoErasesThePinsOfOthersIsNoticed) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<picture>("t", gated(4, overflow::drop_oldest)).value();
    auto sub = me.subscriber<picture>("t").value();
    ASSERT_TRUE(pub.send(picture::of(1)));
    auto held = sub.try_receive();
    tampered_topic topic(me, "t");
    topic.slots()[0].pins[0] = 0;
    held.reset();
    EXPECT_EQ(sub.try_receive().error(), receive_errc::corrupt);
}

TEST(HostileReader, WhoPinsWhateverItCanTakesNothingFromThePublisher) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<picture>("t", gated(4, overflow::reject)).value();
    auto sub = me.subscriber<picture>("t", lossless()).value();
    tampered_topic topic(me, "t");
    for (std::uint64_t i = 0; i < 500; ++i) {
        for (std::uint32_t k = 0; k < 8 * 8; ++k) { // ours among them
            topic.slots()[k / 8].pins[k % 8] =
                (i + k) % 3 == 0 ? nasty[(i + k) % nasty.size()] : (i * 13 + k) % 40;
        }
        ASSERT_TRUE(pub.send(picture::of(i)));
        auto const s = sub.try_receive();
        if (!s) { // said once, when the sample before was given back
            ASSERT_EQ(s.error(), receive_errc::corrupt);
            break;
        }
        ASSERT_EQ(s->number, i);
    }
    ASSERT_TRUE(pub.send(picture::of(0)));
}

TEST(HostileRing, WhoseConstantsChangeAfterwardsChangesNothing) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    auto pub = hostile.publisher<tick>("t", gated(8)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 6);
    tampered_topic topic(hostile, "t");
    std::memset(&topic.ring().constants, 0xee, sizeof(detail::ring_constants));
    std::memset(&topic.readers().constants, 0xee, sizeof(detail::readers_constants));
    EXPECT_EQ(take_all(sub), numbers(0, 6));
    send_ticks(pub, 6, 8);
    EXPECT_EQ(take_all(sub), numbers(6, 8));
}

TEST(HostileRing, WithAnImpossibleStampIsReportedAndLetGo) {
    for (std::uint64_t const stamp : nasty) {
        for (auto const& options : {lossy(), lossless(), looking()}) {
            scratch_root root;
            participant me = joined(root.path());
            participant hostile = joined(root.path(), "hostile");
            auto pub = hostile.publisher<tick>("t", gated(8)).value();
            auto sub = me.subscriber<tick>("t", options).value();
            send_ticks(pub, 0, 3);
            tampered_topic topic(hostile, "t");
            *topic.cell(1) = stamp;
            ASSERT_NO_FATAL_FAILURE(use_up(sub));
            auto honest = me.publisher<tick>("t", gated(8)).value();
            send_ticks(honest, 100, 2, 5);
            std::uint64_t from_honest = 0;
            for (int i = 0; i < 100; ++i) {
                auto const s = sub.try_receive();
                from_honest += s && s->sender == 5 ? 1 : 0;
            }
            EXPECT_EQ(from_honest, 2u) << "the others are read all the same";
        }
    }
}

TEST(HostileRing, WithALengthBeyondItsCellsIsReportedAndLetGo) {
    for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
        scratch_root root;
        participant me = joined(root.path());
        participant hostile = joined(root.path(), "hostile");
        publisher_options po = gated(8);
        po.payload_bytes_max = 40;
        auto pub = hostile.publisher<bytes>("t", po).value();
        subscriber_options options;
        options.delivery = kind;
        auto sub = me.subscriber<bytes>("t", options).value();
        tampered_topic topic(hostile, "t");
        for (std::uint32_t const length : {41u, 48u, 1u << 16, 1u << 31, ~0u}) {
            ASSERT_TRUE(pub.send("hello"));
            auto* const cell =
                reinterpret_cast<std::uint32_t*>(topic.cell((pub.position() - 1) & 7));
            cell[2] = length;
            auto const s = sub.try_receive();
            ASSERT_FALSE(s);
            EXPECT_EQ(s.error(), receive_errc::corrupt);
            EXPECT_EQ(s.publisher(), pub.incarnation());
            EXPECT_EQ(sub.publisher_count(), 0u);
            EXPECT_EQ(sub.try_receive().error(), receive_errc::empty) << "once";
            sub = me.subscriber<bytes>("t", options).value();
        }
    }
}

// All stamps promise messages that are laps and laps ahead, each another number of laps.
TEST(HostileRing, ThatIsAlwaysAheadDoesNotKeepACallBusy) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    constexpr std::uint64_t depth = 1024;
    auto pub = hostile.publisher<tick>("t", dropping(depth)).value();
    send_ticks(pub, 0, 1);
    tampered_topic topic(hostile, "t");
    std::mt19937_64 random(3);
    for (int round = 0; round < 50; ++round) {
        auto sub = me.subscriber<tick>("t", round % 2 == 0 ? lossy(1) : looking(1)).value();
        for (std::uint64_t i = 0; i < depth; ++i) {
            std::uint64_t const laps = random() >> (16 + random() % 40);
            *topic.cell(i) = detail::ready_stamp(i + depth * laps);
        }
        use_up(sub, 100);
        auto value = me.latest<tick>("t").value();
        for (int i = 0; i < 10; ++i) {
            (void)value.get();
        }
        *topic.cell(0) = detail::ready_stamp(0);
        for (std::uint64_t i = 1; i < depth; ++i) {
            *topic.cell(i) = detail::writing_stamp(i - depth);
        }
    }
}

TEST(HostileRing, OfRandomBytesDoesNoHarm) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    std::mt19937_64 random(5);
    auto honest = me.publisher<tick>("t", gated(16)).value();
    auto bystander = me.subscriber<tick>("t", lossless()).value();
    std::uint64_t const rounds = count(60, 3000);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        auto pub = hostile.publisher<tick>("t", gated(16)).value();
        tampered_topic topic(hostile, hostile.publishers("t").back());
        std::vector<subscriber<tick>> subs;
        for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
            subscriber_options options;
            options.delivery = kind;
            options.history = random() % 20;
            subs.push_back(me.subscriber<tick>("t", options).value());
        }
        std::uint64_t sent = 0;
        for (int step = 0; step < 200; ++step) {
            switch (random() % 6) {
            case 0: (void)pub.send(tick::of(random(), 66)); break;
            case 1: *topic.cell(random() % 16) = random() >> (random() % 64); break;
            case 2: topic.cell(random() % 16)[1 + random() % 3] = random(); break;
            case 3: {
                auto* const control = reinterpret_cast<std::uint64_t*>(&topic.ring().control);
                control[random() % (sizeof(detail::ring_control) / 8)] =
                    nasty[random() % nasty.size()];
                break;
            }
            case 4: {
                auto* const slot = reinterpret_cast<std::uint64_t*>(&topic.slots()[random() % 4]);
                slot[random() % 32] = nasty[random() % nasty.size()];
                break;
            }
            default:
                for (auto& sub : subs) {
                    (void)sub.try_receive();
                    (void)sub.receive(0ns);
                }
            }
            if (step % 50 == 0) {
                EXPECT_TRUE(honest.send(tick::of(4 * round + sent, 5)));
                sent += 1;
            }
        }
        subs.clear();
        (void)me.recover();
        std::uint64_t seen = 0;
        for (int i = 0; i < 1000 && seen < 4; ++i) {
            auto const s = bystander.try_receive();
            if (s && s.publisher() == honest.incarnation()) {
                EXPECT_TRUE(s->whole());
                EXPECT_EQ(s->number, 4 * round + seen);
                seen += 1;
            }
        }
        ASSERT_EQ(seen, 4u) << "the honest publisher's messages";
    }
}

// A number of slots that the size of the file does not confirm would be a number to loop by.
TEST(HostileRing, WhoseReadersFileHasGrownIsRefused) {
    scratch_root root;
    participant me = joined(root.path());
    auto early = me.subscriber<tick>("t", lossless()).value();
    participant hostile = joined(root.path(), "hostile");
    auto pub = hostile.publisher<tick>("t", gated(8)).value();
    entry_info const entry = hostile.publishers("t").at(0);
    std::string const file = root.path() + "/d/readers." + std::to_string(entry.owner_ticket) +
                             "." + std::to_string(entry.number);
    int const fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    std::uint64_t const bytes = std::uint64_t{64} << 20;
    ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(bytes)), 0);
    ASSERT_EQ(::pwrite(fd, &bytes, sizeof bytes, offsetof(segment_header, total_bytes)), 8);
    EXPECT_EQ(me.subscriber<tick>("t", lossless()).error().code, endpoint_errc::corrupt);
    EXPECT_EQ(early.try_receive().error(), receive_errc::refused);
    EXPECT_EQ(early.refusal_code(), endpoint_errc::corrupt);
    (void)me.recover();
    struct stat status {};
    ASSERT_EQ(::fstat(fd, &status), 0);
    EXPECT_LT(status.st_blocks * 512, 1 << 20) << "somebody looked all of it through";
    ::close(fd);
}

// Whoever changes the registry again and again gives a subscriber something to look at again and
// again: each call looks a bounded number of times.
TEST(HostileRegistryThreads, ThatChangesAllTheTimeDoesNotKeepACallBusy) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    auto pub = hostile.publisher<tick>("t", dropping(4)).value();
    auto sub = me.subscriber<tick>("t").value();
    entry_info entry = hostile.publishers("t").at(0);
    std::atomic<bool> stop{false};
    std::thread changes([&] {
        auto map = attach_segment(hostile.core()->dir(),
                                  {{segment_kind::registry, 0, 0},
                                   detail::registry_layout_version,
                                   detail::registry_layout_fingerprint},
                                  access::read_write)
                       .value();
        auto& registry = *reinterpret_cast<detail::registry_layout*>(map.data());
        std::atomic_ref<std::uint64_t> incarnation(
            registry.entries[entry.index].record.incarnation);
        std::atomic_ref<std::uint32_t> epoch(registry.epoch);
        while (!stop) {
            incarnation += 1;
            epoch += 1;
        }
    });
    for (int i = 0; i < 50; ++i) {
        std::uint64_t const before = sub.publishers_seen();
        (void)sub.try_receive();
        EXPECT_LE(sub.publishers_seen() - before, 66u);
    }
    stop = true;
    changes.join();
}

TEST(HostileRing, OfAnotherSizeOrVersionIsRefusedByReason) {
    struct spoiled {
        std::function<void(tampered_topic&)> how;
        endpoint_errc code;
        std::string_view word;
    };
    auto const header = [](auto member, auto value) {
        return [=](tampered_topic& t) { t.ring().header.*member = value; };
    };
    using h = segment_header;
    std::vector<spoiled> const all = {
        {header(&h::layout_version, 9u), endpoint_errc::incompatible, "version 9"},
        {header(&h::layout_version, 0u), endpoint_errc::incompatible, "version 0"},
        {header(&h::layout_fingerprint, std::uint64_t{1}), endpoint_errc::incompatible,
         "fingerprint"},
        {header(&h::magic, std::uint64_t{0}), endpoint_errc::corrupt, "magic"},
        {header(&h::magic, __builtin_bswap64(segment_magic)), endpoint_errc::corrupt, "byte order"},
        {header(&h::kind, 1u), endpoint_errc::corrupt, "kind"},
        {header(&h::total_bytes, std::uint64_t{128}), endpoint_errc::corrupt, "bytes"},
        {header(&h::owner_ticket, std::uint64_t{99}), endpoint_errc::corrupt, "ticket"},
        {[](tampered_topic& t) { t.readers().header.layout_version = 7; },
         endpoint_errc::incompatible, "version 7"},
    };
    for (spoiled const& one : all) {
        scratch_root root;
        participant me = joined(root.path());
        auto sub = me.subscriber<tick>("t").value();
        participant hostile = joined(root.path(), "hostile");
        auto pub = hostile.publisher<tick>("t", gated(8)).value();
        tampered_topic topic(hostile, "t");
        one.how(topic);
        auto const made = me.subscriber<tick>("t");
        ASSERT_FALSE(made) << one.word;
        EXPECT_EQ(made.error().code, one.code) << made.error().message;
        EXPECT_NE(made.error().message.find(one.word), std::string::npos) << made.error().message;
        EXPECT_EQ(sub.try_receive().error(), receive_errc::refused);
        EXPECT_EQ(sub.refusal_code(), one.code);
        EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    }
}

TEST(HostileRing, ThatIsCutShortIsRefused) {
    for (std::string const& kind : {std::string("ring"), std::string("readers")}) {
        for (long const bytes : {0L, 1L, 127L, 128L, 256L, 383L, 640L, -1L}) {
            scratch_root root;
            participant me = joined(root.path());
            auto pub = me.publisher<tick>("t", gated(8)).value();
            std::string const path =
                root.path() + "/d/" + kind + "." + std::to_string(me.ticket()) + ".1";
            struct stat status {};
            ASSERT_EQ(::stat(path.c_str(), &status), 0);
            // A copy under the same name: truncating what the publisher has mapped would end it.
            std::string const copy = root.path() + "/copy";
            long const length = bytes >= 0 ? bytes : static_cast<long>(status.st_size) - 4096;
            {
                int const from = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
                int const to = ::open(copy.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                std::vector<char> image(static_cast<std::size_t>(status.st_size));
                ASSERT_EQ(::pread(from, image.data(), image.size(), 0), status.st_size);
                auto const left = static_cast<std::size_t>(std::max(length, 0L));
                ASSERT_EQ(::write(to, image.data(), left), static_cast<ssize_t>(left));
                ::close(from);
                ::close(to);
            }
            ASSERT_EQ(::rename(copy.c_str(), path.c_str()), 0);
            auto const made = me.subscriber<tick>("t");
            ASSERT_FALSE(made) << kind << " of " << length;
            EXPECT_EQ(made.error().code, endpoint_errc::corrupt) << made.error().message;
        }
    }
}

} // namespace
} // namespace partywall::test
