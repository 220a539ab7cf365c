// SPDX-License-Identifier: BSL-1.0
// Records in memory that several processes map: looking, sharing, and dying with a permit.
#include "fake_clock.hpp"

#include "support/role.hpp"
#include "support/scratch_root.hpp"

#include <partywall/breaker/breaker.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <random>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;
using detail::breaker_record;
using detail::record_use;

/// A record in a file.
class mapped {
  public:
    mapped(std::string const& path, int protection) {
        int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || ::ftruncate(file, sizeof(breaker_record)) != 0) {
            throw std::runtime_error("cannot make " + path);
        }
        memory_ = ::mmap(nullptr, sizeof(breaker_record), protection, MAP_SHARED, file, 0);
        ::close(file);
        if (memory_ == MAP_FAILED) {
            throw std::runtime_error("cannot map " + path);
        }
    }
    ~mapped() { ::munmap(memory_, sizeof(breaker_record)); }
    mapped(mapped const&) = delete;
    mapped& operator=(mapped const&) = delete;
    breaker_record* record() const { return static_cast<breaker_record*>(memory_); }

  private:
    void* memory_;
};

breaker_options shared_rules() {
    breaker_options o;
    o.window = breaker_window::consecutive(2);
    o.open_for = 1ms;
    o.open_for_max = 1ms;
    o.probing = breaker_probing::all_must_pass(1);
    o.half_open_max = 1h;
    return o;
}

std::string record_path(scratch_root const& root) {
    ::mkdir(root.path().c_str(), 0700);
    return root.path() + "/record";
}

void format(breaker_record* record) {
    auto const rules = detail::breaker_rules(shared_rules()).value();
    detail::breaker_core<>::format(*record, rules, monotonic_clock{}.now_ns());
}

breaker joined_as(breaker_record* record, std::uint64_t ticket, detail::death_oracle oracle = {}) {
    return breaker::over(shared_rules(), record, record_use::join, {ticket, oracle}).value();
}

PARTYWALL_ROLE(takes_a_permit_and_hangs) {
    mapped const memory(context.arg(0), PROT_READ | PROT_WRITE);
    breaker circuit = joined_as(memory.record(), 7);
    auto const probe = circuit.admit();
    PARTYWALL_ROLE_CHECK(probe && probe->is_probe());
    context.send("probing");
    context.hang();
}

bool child_is_dead(void* context, std::uint64_t ticket) noexcept {
    return ticket == 7 && *static_cast<bool const*>(context);
}

TEST(SharedRecord, GivesThePermitOfAKilledProcessToWhoeverNeedsIt) {
    scratch_root const root;
    mapped const memory(record_path(root), PROT_READ | PROT_WRITE);
    format(memory.record());
    bool dead = false;
    breaker circuit = joined_as(memory.record(), 5, {&child_is_dead, &dead});
    circuit.callee_died();
    circuit.callee_is_new(1);
    child holder = spawn("takes_a_permit_and_hangs", {record_path(root)});
    holder.expect("probing");
    EXPECT_EQ(circuit.admit().error().reason, rejection_reason::probing);
    holder.kill(SIGKILL);
    EXPECT_EQ(holder.wait(), killed_by(SIGKILL));
    EXPECT_FALSE(circuit.admit()) << "killed, but that is not proven yet";
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    dead = true;
    auto probe = circuit.admit();
    while (!probe) { // proof is asked for once per millisecond
        probe = circuit.admit();
    }
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    probe->success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
}

TEST(SharedRecord, OpensForAllWhoShareIt) {
    scratch_root const root;
    mapped const one_view(record_path(root), PROT_READ | PROT_WRITE);
    mapped const other_view(record_path(root), PROT_READ | PROT_WRITE);
    format(one_view.record());
    breaker one = joined_as(one_view.record(), 1);
    breaker other = joined_as(other_view.record(), 2);
    one.admit().value().failure();
    other.admit().value().failure();
    EXPECT_EQ(one.state(), other.state());
    EXPECT_EQ(one.stats().opened_total, 1U);
    EXPECT_EQ(other.stats().total.failures, 2U);
}

TEST(SharedRecord, IsLookedAtThroughAMappingForReading) {
    scratch_root const root;
    mapped const writing(record_path(root), PROT_READ | PROT_WRITE);
    mapped const reading(record_path(root), PROT_READ);
    breaker circuit = breaker::over(shared_rules(), writing.record(), record_use::format).value();
    circuit.admit().value().success();
    circuit.admit().value().failure();
    breaker_stats const seen =
        detail::read_breaker(*reading.record(), monotonic_clock{}.now_ns()).value();
    EXPECT_EQ(seen.state, breaker_state::closed);
    EXPECT_EQ(seen.window.calls, 2U);
    EXPECT_EQ(seen.window.failures, 1U);
    circuit.open_for(1h).value();
    EXPECT_EQ(detail::read_breaker(*reading.record(), monotonic_clock{}.now_ns()).value().state,
              breaker_state::open);
}

TEST(SharedRecord, RefusesOtherRulesAndCountWindows) {
    breaker_record record;
    format(&record);
    breaker_options other = shared_rules();
    other.open_for_max = 2ms;
    auto const why = breaker::over(other, &record, record_use::join);
    ASSERT_FALSE(why);
    EXPECT_EQ(why.error().code, breaker_errc::mismatch);
    other.window = breaker_window::count(10);
    EXPECT_EQ(breaker::over(other, &record, record_use::join).error().code, breaker_errc::not_here);
    record.constants.bucket_count = 0;
    EXPECT_FALSE(breaker::over(shared_rules(), &record, record_use::join));
    EXPECT_FALSE(detail::read_breaker(record, 1));
}

// A peer may write anything into a record that it shares: nobody else may crash, loop or read
// beyond it for that.
TEST(SharedRecord, MayHoldAnyBytes) {
    std::mt19937_64 luck(1);
    for (int round = 0; round < 2000; ++round) {
        breaker_record record;
        format(&record);
        std::uint64_t now = fake_start_ns;
        auto circuit = basic_breaker<fake_clock>::over(shared_rules(), &record, record_use::join,
                                                       {1, {}}, fake_clock(now))
                           .value();
        for (int i = 0; i < 20; ++i) {
            // Everything but the rules, of which this breaker has a copy.
            auto* const bytes = reinterpret_cast<unsigned char*>(&record);
            for (int n = 0; n < 30; ++n) {
                std::size_t const at =
                    sizeof(detail::breaker_constants) / 8 + luck() % (sizeof(record) / 8 - 16);
                std::uint64_t const word = luck() % 3 == 0 ? ~std::uint64_t{0} : luck();
                std::memcpy(bytes + 8 * at, &word, 8);
            }
            now += luck() % 2'000'000;
            (void)circuit.stats();
            if (auto t = circuit.admit()) {
                luck() % 2 == 0 ? t->failure() : t->success();
            }
            (void)detail::read_breaker(record, now).has_value();
        }
        circuit.reset();
        EXPECT_EQ(circuit.state(), breaker_state::closed);
    }
}

} // namespace
} // namespace partywall::test
