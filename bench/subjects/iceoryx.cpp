// SPDX-License-Identifier: BSL-1.0
// iceoryx 2 ("classic"). Its daemon, RouDi, hands out the memory: started here with chunks of the
// sizes that the suite sends, and ended when no row needs it.
#include "adapters.hpp"
#include "roles.hpp"

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_client.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_server.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace partywall::bench {
namespace {

constexpr std::uint32_t alignment = 8;

/// RouDi. What it says goes to a file, where the line is awaited that it is ready; nobody has to
/// read the rest.
class roudi : public companion {
  public:
    explicit roudi(std::string const& scratch) : log_(scratch + "/roudi.log") {
        std::string const config = scratch + "/roudi.toml";
        write_config(config);
        int const log = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (log < 0) {
            throw std::runtime_error("cannot write " + log_);
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            ::dup2(log, STDOUT_FILENO);
            ::dup2(log, STDERR_FILENO);
            ::execl(PARTYWALL_BENCH_ROUDI, PARTYWALL_BENCH_ROUDI, "-c", config.c_str(), "-m", "off",
                    static_cast<char*>(nullptr));
            ::_exit(127);
        }
        ::close(log);
        if (pid_ < 0 || !ready()) {
            end();
            throw std::runtime_error("RouDi does not start: " + said());
        }
    }
    ~roudi() override { end(); }

  private:
    static void write_config(std::string const& file) {
        std::ofstream out(file);
        out << "[general]\nversion = 1\n[[segment]]\n";
        auto const pool = [&](std::uint64_t bytes, int count) {
            out << "[[segment.mempool]]\nsize = " << bytes << "\ncount = " << count << "\n";
        };
        pool(128, 10000);
        pool(1280, 10000);
        pool(66048, 256);
        pool((1U << 20) + 512, 24);
        pool((64U << 20) + 512, 12);
        if (!out.flush()) {
            throw std::runtime_error("cannot write " + file);
        }
    }
    std::string said() const {
        std::ifstream in(log_);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    /// Others' RouDi may hold the lock; then it ends at once.
    bool ready() {
        for (std::uint64_t const until = os::monotonic_ns() + 20'000'000'000U;
             os::monotonic_ns() < until;) {
            if (said().find("ready for clients") != std::string::npos) {
                return true;
            }
            if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
                pid_ = 0;
                return false;
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
    }

    std::string log_;
    pid_t pid_ = 0;
};

iox::capro::IdString_t id(std::string const& text) {
    return {iox::cxx::TruncateToCapacity, text.c_str()};
}
/// Named by the scratch folder, which no two runs have in common; joins the process to RouDi.
iox::capro::ServiceDescription service(channel const& c) {
    static bool const joined = [&] {
        iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
            iox::log::LogLevel::kOff, iox::log::LogLevelOutput::kHideLogLevel);
        std::string const name = "partywall-bench-" + std::to_string(::getpid());
        iox::runtime::PoshRuntime::initRuntime(
            iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
        return true;
    }();
    static_cast<void>(joined);
    return {id("bench"), id(c.scratch), id(c.name)};
}

class iceoryx_writer {
  public:
    explicit iceoryx_writer(channel const& c)
        : out_(service(c), options(c)), bytes_(static_cast<std::uint32_t>(c.bytes)) {}

    /// A full queue holds publish() up, by spinning; there is no asking before.
    template <class Write>
    bool try_send(Write write) {
        auto lent = out_.loan(bytes_, alignment);
        if (lent.has_error()) {
            return false; // no chunk is free
        }
        write(lent.value());
        out_.publish(lent.value());
        return true;
    }
    template <class Write>
    void send(Write write) {
        while (!try_send(write)) {
        }
    }

  private:
    static iox::popo::PublisherOptions options(channel const& c) {
        iox::popo::PublisherOptions o;
        o.subscriberTooSlowPolicy = c.lossy ? iox::popo::ConsumerTooSlowPolicy::DISCARD_OLDEST_DATA
                                            : iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        return o;
    }
    iox::popo::UntypedPublisher out_;
    std::uint32_t bytes_;
};

class iceoryx_reader {
  public:
    explicit iceoryx_reader(channel const& c) : in_(service(c), options(c)) {
        if (!c.spins()) {
            wakes_.emplace();
            if (wakes_->attachState(in_, iox::popo::SubscriberState::HAS_DATA).has_error()) {
                throw std::runtime_error("attachState");
            }
        }
    }
    template <class Read>
    bool try_receive(Read read) {
        auto const taken = in_.take();
        if (taken.has_error()) {
            return false;
        }
        // Chunks say their size, but only to those who ask for the header.
        read(taken.value(),
             iox::mepoo::ChunkHeader::fromUserPayload(taken.value())->userPayloadSize());
        in_.release(taken.value());
        return true;
    }
    template <class Read>
    void receive(Read read) {
        while (!try_receive(read)) {
            wakes_->wait();
        }
    }

  private:
    static iox::popo::SubscriberOptions options(channel const& c) {
        iox::popo::SubscriberOptions o;
        o.queueCapacity = std::min<std::uint64_t>(c.depth, 256);
        o.queueFullPolicy = c.lossy ? iox::popo::QueueFullPolicy::DISCARD_OLDEST_DATA
                                    : iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
        return o;
    }
    iox::popo::UntypedSubscriber in_;
    std::optional<iox::popo::WaitSet<4>> wakes_;
};

class iceoryx_client {
  public:
    explicit iceoryx_client(channel const& c)
        : out_(service(c)), bytes_(static_cast<std::uint32_t>(c.bytes)) {
        if (!c.spins()) {
            wakes_.emplace();
            if (wakes_->attachState(out_, iox::popo::ClientState::HAS_RESPONSE).has_error()) {
                throw std::runtime_error("attachState");
            }
        }
        while (out_.getConnectionState() != iox::ConnectionState::CONNECTED) {
            ::usleep(100); // RouDi connects in its own time
        }
    }
    template <class Write, class Read>
    void call(Write write, Read read) {
        auto lent = out_.loan(bytes_, alignment);
        if (lent.has_error()) {
            throw std::runtime_error("no chunk for a request");
        }
        write(lent.value());
        if (out_.send(lent.value()).has_error()) {
            throw std::runtime_error("the request could not be sent");
        }
        for (;;) {
            auto const taken = out_.take();
            if (!taken.has_error()) {
                read(taken.value(), bytes_);
                out_.releaseResponse(taken.value());
                return;
            }
            if (wakes_) {
                wakes_->wait();
            }
        }
    }

  private:
    iox::popo::UntypedClient out_;
    std::uint32_t bytes_;
    std::optional<iox::popo::WaitSet<4>> wakes_;
};

class iceoryx_server {
  public:
    explicit iceoryx_server(channel const& c)
        : in_(service(c)), bytes_(static_cast<std::uint32_t>(c.bytes)) {
        if (!c.spins()) {
            wakes_.emplace();
            if (wakes_->attachState(in_, iox::popo::ServerState::HAS_REQUEST).has_error()) {
                throw std::runtime_error("attachState");
            }
        }
    }
    template <class Answer>
    void run(Answer answer) {
        for (bool more = true; more;) {
            auto const taken = in_.take();
            if (taken.has_error()) {
                if (wakes_) {
                    wakes_->wait();
                }
                continue;
            }
            auto lent =
                in_.loan(iox::popo::RequestHeader::fromPayload(taken.value()), bytes_, alignment);
            if (lent.has_error()) {
                throw std::runtime_error("no chunk for a reply");
            }
            more = answer(taken.value(), bytes_, lent.value());
            if (in_.send(lent.value()).has_error()) {
                throw std::runtime_error("the reply could not be sent");
            }
            in_.releaseRequest(taken.value());
        }
    }

  private:
    iox::popo::UntypedServer in_;
    std::uint32_t bytes_;
    std::optional<iox::popo::WaitSet<4>> wakes_;
};

struct services {
    template <std::size_t>
    using writer = iceoryx_writer;
    template <std::size_t>
    using reader = iceoryx_reader;
    using client = iceoryx_client;
    using server = iceoryx_server;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = true;
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = true; ///< one that says that it is alive
    static constexpr bool is_connected = false;
    static constexpr bool server_works_in_threads = false;
};

bool can(job const& j, std::string_view) {
    if (j.wait == wait::fd || j.wait == wait::spin_then_park) {
        return false;
    }
    return j.figure != figure::throughput_batch && j.figure != figure::breaker_admit &&
           j.figure != figure::breaker_reject;
}

std::unique_ptr<companion> start(std::string const& scratch) {
    return std::make_unique<roudi>(scratch);
}

} // namespace

subject iceoryx_subject() { return {"iceoryx", {""}, can, play_any<services>, start, false, true}; }

} // namespace partywall::bench
