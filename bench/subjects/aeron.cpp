// SPDX-License-Identifier: BSL-1.0
// Aeron over IPC, by its C client. Its media driver hands out the logs: started here, ended when no row
// needs it. Messages that fit a frame are written in place (a claim), larger ones are copied and come
// in pieces, which are put together by Aeron's assembler. It has no way to sleep until a message comes.
#include "adapters.hpp"
#include "roles.hpp"

#include <aeronc.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace partywall::bench {
namespace {

[[noreturn]] void fail(char const* what) {
    throw std::runtime_error(std::string("aeron: ") + what + ": " + aeron_errmsg());
}

/// Where the driver of a run and its clients meet: beside the folders of the measurements.
std::string folder_beside(std::string const& scratch) {
    return std::filesystem::path(scratch).parent_path().string() + "/aeron";
}

class media_driver : public companion {
  public:
    explicit media_driver(std::string const& scratch) : folder_(scratch + "/aeron") {
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::setenv("AERON_DIR", folder_.c_str(), 1);
            ::setenv("AERON_THREADING_MODE", "SHARED", 1);
            ::setenv("AERON_SHARED_IDLE_STRATEGY", "backoff", 1);
            ::setenv("AERON_DIR_WARN_IF_EXISTS", "0", 1);
            ::execl(PARTYWALL_BENCH_AERONMD, PARTYWALL_BENCH_AERONMD, static_cast<char*>(nullptr));
            ::_exit(127);
        }
        if (pid_ < 0 || !ready()) {
            end();
            throw std::runtime_error("the media driver does not start");
        }
    }
    ~media_driver() override { end(); }

  private:
    bool ready() {
        std::uint64_t const until = os::monotonic_ns() + 20'000'000'000U;
        while (os::monotonic_ns() < until && ::waitpid(pid_, nullptr, WNOHANG) == 0) {
            if (std::filesystem::exists(folder_ + "/cnc.dat")) {
                return true; // a client waits for what is in it
            }
            ::usleep(10'000);
        }
        return false;
    }
    void end() {
        if (pid_ > 0) {
            ::kill(pid_, SIGTERM);
            ::waitpid(pid_, nullptr, 0);
            pid_ = 0;
        }
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::string folder_;
    pid_t pid_ = 0;
};

/// One connection of this process to the driver.
aeron_t* client(channel const& c) {
    static aeron_t* const joined = [&] {
        aeron_context_t* context = nullptr;
        aeron_t* made = nullptr;
        if (aeron_context_init(&context) < 0 ||
            aeron_context_set_dir(context, folder_beside(c.scratch).c_str()) < 0 ||
            aeron_init(&made, context) < 0 || aeron_start(made) < 0) {
            fail("joining");
        }
        return made;
    }();
    return joined;
}

constexpr std::uint64_t frame_header = 32;
/// What fits a frame: the driver's default MTU for IPC, less the header.
constexpr std::uint64_t claim_max = 1408 - frame_header;

/// Room for as many messages as anybody else has, and what Aeron asks for besides: half of a term may
/// be under way, and no message is longer than an eighth of one.
std::string uri(channel const& c) {
    std::uint64_t const frame = (c.bytes + frame_header + 31) / 32 * 32;
    std::uint64_t const term =
        std::bit_ceil(std::max({std::uint64_t{65536}, 2 * c.depth * frame, 8 * frame}));
    return "aeron:ipc?term-length=" + std::to_string(term);
}
/// No two measurements have one in common.
std::int32_t stream_of(channel const& c) {
    return static_cast<std::int32_t>(std::hash<std::string>()(c.file()) & 0x7fff'ffffU);
}

template <class Resource, class Async, class Poll>
Resource* await(Async* async, Poll poll, char const* what) {
    Resource* made = nullptr;
    std::uint64_t const until = os::monotonic_ns() + 10'000'000'000U;
    for (int state = 0; state != 1;) {
        state = poll(&made, async);
        if (state < 0 || os::monotonic_ns() > until) {
            fail(what);
        }
        if (state == 0) {
            ::usleep(100);
        }
    }
    return made;
}

class aeron_writer {
  public:
    explicit aeron_writer(channel const& c)
        : bytes_(static_cast<std::size_t>(c.bytes)), copy_(c.bytes > claim_max ? bytes_ : 0) {
        aeron_async_add_exclusive_publication_t* async = nullptr;
        if (aeron_async_add_exclusive_publication(&async, client(c), uri(c).c_str(), stream_of(c)) <
            0) {
            fail("a publication");
        }
        out_ = await<aeron_exclusive_publication_t>(
            async, aeron_async_add_exclusive_publication_poll, "a publication");
    }
    ~aeron_writer() { aeron_exclusive_publication_close(out_, nullptr, nullptr); }
    aeron_writer(aeron_writer const&) = delete;
    aeron_writer& operator=(aeron_writer const&) = delete;

    template <class Write>
    bool try_send(Write write) {
        if (!copy_.empty()) {
            write(copy_.data());
            return went(aeron_exclusive_publication_offer(
                out_, reinterpret_cast<std::uint8_t const*>(copy_.data()), bytes_, nullptr,
                nullptr));
        }
        aeron_buffer_claim_t claim;
        if (!went(aeron_exclusive_publication_try_claim(out_, bytes_, &claim))) {
            return false;
        }
        write(claim.data);
        aeron_buffer_claim_commit(&claim);
        return true;
    }
    template <class Write>
    void send(Write write) {
        while (!try_send(write)) {
        }
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        std::size_t sent = 0;
        while (sent < count && try_send([&](void* to) { write(sent, to); })) {
            sent += 1;
        }
        return sent;
    }

  private:
    static bool went(std::int64_t position) {
        if (position >= 0) [[likely]] {
            return true;
        }
        if (position != AERON_PUBLICATION_NOT_CONNECTED &&
            position != AERON_PUBLICATION_BACK_PRESSURED &&
            position != AERON_PUBLICATION_ADMIN_ACTION) {
            fail("sending");
        }
        return false;
    }

    std::size_t bytes_;
    std::vector<std::byte> copy_;
    aeron_exclusive_publication_t* out_ = nullptr;
};

class aeron_reader {
  public:
    explicit aeron_reader(channel const& c) {
        aeron_async_add_subscription_t* async = nullptr;
        if (aeron_async_add_subscription(&async, client(c), uri(c).c_str(), stream_of(c), nullptr,
                                         nullptr, nullptr, nullptr) < 0) {
            fail("a subscription");
        }
        in_ =
            await<aeron_subscription_t>(async, aeron_async_add_subscription_poll, "a subscription");
        if (c.bytes > claim_max &&
            aeron_fragment_assembler_create(&assembler_, &give_whole, this) < 0) {
            fail("an assembler");
        }
    }
    ~aeron_reader() {
        aeron_subscription_close(in_, nullptr, nullptr);
        if (assembler_ != nullptr) {
            aeron_fragment_assembler_delete(assembler_);
        }
    }
    aeron_reader(aeron_reader const&) = delete;
    aeron_reader& operator=(aeron_reader const&) = delete;

    template <class Read>
    bool try_receive(Read read) {
        return poll(1, read) != 0;
    }
    template <class Read>
    void receive(Read read) {
        while (!try_receive(read)) {
        }
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        return poll(64, read);
    }

  private:
    template <class Read>
    std::size_t poll(std::size_t limit, Read& read) {
        struct taker {
            Read& read;
            std::size_t taken = 0;
            static void take(void* self, std::uint8_t const* data, std::size_t bytes,
                             aeron_header_t*) {
                auto& t = *static_cast<taker*>(self);
                t.taken += 1;
                t.read(data, bytes);
            }
        } one{read};
        if (assembler_ == nullptr) {
            if (aeron_subscription_poll(in_, &taker::take, &one, limit) < 0) {
                fail("receiving");
            }
            return one.taken;
        }
        whole_ = &taker::take;
        whole_for_ = &one;
        // Pieces until there is a message, or nothing.
        while (one.taken == 0) {
            int const pieces =
                aeron_subscription_poll(in_, aeron_fragment_assembler_handler, assembler_, 1);
            if (pieces < 0) {
                fail("receiving");
            }
            if (pieces == 0) {
                break;
            }
        }
        return one.taken;
    }
    static void give_whole(void* self, std::uint8_t const* data, std::size_t bytes,
                           aeron_header_t* header) {
        auto& r = *static_cast<aeron_reader*>(self);
        r.whole_(r.whole_for_, data, bytes, header);
    }

    aeron_subscription_t* in_ = nullptr;
    aeron_fragment_assembler_t* assembler_ = nullptr;
    aeron_fragment_handler_t whole_ = nullptr;
    void* whole_for_ = nullptr;
};

struct streams {
    template <std::size_t>
    using writer = aeron_writer;
    template <std::size_t>
    using reader = aeron_reader;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = true;
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = true; ///< one that keeps in touch with the driver
    static constexpr bool is_connected = false;
};

bool can(job const& j, std::string_view variant) {
    constexpr std::uint64_t bytes_max = std::uint64_t{16} << 20;
    return (variant.empty() || j.figure == figure::throughput) && is_channel_figure(j.figure) &&
           j.wait == wait::spin && j.lossy == 0 && j.bytes <= bytes_max &&
           (j.figure != figure::throughput_batch || j.bytes <= claim_max);
}

std::unique_ptr<companion> start(std::string const& scratch) {
    return std::make_unique<media_driver>(scratch);
}

} // namespace

subject aeron_subject() {
    return {"aeron", {"", "poll"}, can, play_channels<streams>, start, false, true};
}

} // namespace partywall::bench
