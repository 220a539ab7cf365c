// SPDX-License-Identifier: BSL-1.0
#include "image.hpp"

#include "guarded_mappings.hpp"
#include "household.hpp"

#include <support/nasty.hpp>

#include <partywall/registry/life_layout.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/segment/directory.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace partywall::test {
namespace {

using detail::registry_layout;

/// A file, mapped as only a hostile process would.
class raw_map {
  public:
    raw_map(directory const& where, segment_id const& file) : id(file) {
        int const fd = ::open(where.path_of(file_name(file)).c_str(), O_RDWR | O_CLOEXEC);
        struct stat status {};
        if (fd >= 0 && ::fstat(fd, &status) == 0) {
            auto const size = static_cast<std::size_t>(status.st_size);
            void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (at != MAP_FAILED) {
                bytes = {static_cast<std::byte*>(at), size};
            }
        }
        if (fd >= 0) {
            ::close(fd);
        }
    }
    raw_map(raw_map&& other) noexcept
        : id(other.id), bytes(std::exchange(other.bytes, {})),
          interesting(std::move(other.interesting)) {}
    raw_map& operator=(raw_map&& other) noexcept {
        std::swap(id, other.id);
        std::swap(bytes, other.bytes);
        std::swap(interesting, other.interesting);
        return *this;
    }
    ~raw_map() {
        if (!bytes.empty()) {
            ::munmap(bytes.data(), bytes.size());
        }
    }
    std::uint64_t* word(std::size_t index) const {
        return reinterpret_cast<std::uint64_t*>(bytes.data()) + index;
    }
    std::size_t words() const { return bytes.size() / 8; }

    segment_id id;
    std::span<std::byte> bytes;
    std::vector<std::uint32_t> interesting; ///< words; empty: all of them
};

/// What is used of a large table, and one slot more.
std::vector<std::uint32_t> interesting_words_of_the_registry() {
    std::vector<std::uint32_t> all;
    auto const add = [&](std::size_t offset, std::size_t bytes) {
        for (std::size_t at = offset / 8; at < (offset + bytes) / 8; ++at) {
            all.push_back(static_cast<std::uint32_t>(at));
        }
    };
    add(0, sizeof(segment_header));
    add(offsetof(registry_layout, next_ticket), 8);
    add(offsetof(registry_layout, epoch), 8);
    add(offsetof(registry_layout, participants), 4 * sizeof(detail::participant_slot));
    for (std::size_t i = 0; i < 16; ++i) {
        std::size_t const slot =
            offsetof(registry_layout, entries) + i * sizeof(detail::entry_slot);
        add(slot, offsetof(detail::entry_slot, record) + offsetof(detail::entry_record, name) + 8);
        add(slot + offsetof(detail::entry_slot, meta), 24);
        add(slot + offsetof(detail::entry_slot, meta) + sizeof(detail::metadata_area), 24);
    }
    for (std::size_t i = 0; i < 2; ++i) {
        std::size_t const slot =
            offsetof(registry_layout, records) + i * sizeof(detail::record_slot);
        add(slot, 48);
        add(slot + offsetof(detail::record_slot, words), 1024);
    }
    return all;
}

/// Its life word is a robust futex of this very process, with the C library's own pointers in it: an
/// enemy that destroys those ends itself, which is no news. What others look at is the futex, which
/// tests/process/hostile_neighbour.test.cpp has rewritten, and the pid.
std::vector<std::uint32_t> interesting_words_of_a_life() {
    return {0,
            1,
            2,
            3,
            4,
            5,
            6,
            offsetof(detail::life_layout, pid_namespace) / 8,
            offsetof(detail::life_layout, pid) / 8};
}

template <class T>
T read_as(std::uint8_t const* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

} // namespace

struct hostile_image::house {
    scratch_root root;
    participant enemy = joined(root.path(), "enemy");
    participant victim = joined(root.path(), "victim");
    raw_map registry{victim.core()->dir(), {segment_kind::registry, 0, 0}};
    raw_map life{victim.core()->dir(), {segment_kind::life, enemy.ticket(), 0}};
    std::vector<std::byte> registry_as_it_was{registry.bytes.begin(), registry.bytes.end()};
    std::vector<std::byte> life_as_it_was{life.bytes.begin(), life.bytes.end()};
    std::string wrong; ///< what a round has left behind

    join_options elsewhere() {
        join_options options;
        options.root = root.path();
        options.domain = "other";
        return options;
    }
    participant other = join("other", elsewhere()).value();
    publisher<tick> other_pub = other.publisher<tick>("t", gated(8)).value();
    subscriber<tick> other_sub = other.subscriber<tick>("t").value();
    std::uint64_t other_sent = 0;
    std::size_t mappings = 0; ///< between two rounds

    house() {
        registry.interesting = interesting_words_of_the_registry();
        life.interesting = interesting_words_of_a_life();
        mappings = guarded_mappings();
    }
    ~house() { restore(); }

    void restore() {
        std::memcpy(registry.bytes.data(), registry_as_it_was.data(), registry_as_it_was.size());
        for (std::uint32_t const i : life.interesting) {
            std::memcpy(life.word(i), life_as_it_was.data() + 8 * std::size_t{i}, 8);
        }
        for (segment_id const& id : list_segments(victim.core()->dir())) {
            if (id.kind != segment_kind::registry &&
                !(id.kind == segment_kind::life &&
                  (id.ticket == enemy.ticket() || id.ticket == victim.ticket()))) {
                ::unlink(victim.core()->dir().path_of(file_name(id)).c_str());
            }
        }
    }
};

struct hostile_image::round {
    explicit round(house& h) : in(h), all(h.enemy, h.victim) {}

    /// The segments that the enemy may write, by kind, then owner, then number.
    std::vector<raw_map*> const& maps() {
        if (std::uint64_t const now = all.changes(); now != seen_) {
            seen_ = now;
            std::uint64_t const mine = in.victim.ticket();
            for (segment_id const& id : list_segments(in.victim.core()->dir())) {
                bool const may_write =
                    id.kind == segment_kind::readers || id.kind == segment_kind::lanes ||
                    (id.ticket != mine &&
                     (id.kind == segment_kind::ring || id.kind == segment_kind::circuit_breaker));
                bool const known = std::any_of(opened_.begin(), opened_.end(),
                                               [&](auto const& m) { return m->id == id; });
                if (may_write && !known) {
                    auto map = std::make_unique<raw_map>(in.victim.core()->dir(), id);
                    if (!map->bytes.empty()) {
                        opened_.push_back(std::move(map));
                    }
                }
            }
            sorted_ = {&in.registry, &in.life};
            for (auto const& m : opened_) {
                sorted_.push_back(m.get());
            }
            std::sort(sorted_.begin() + 2, sorted_.end(), [](raw_map* a, raw_map* b) {
                return std::tuple(a->id.kind, a->id.ticket, a->id.number) <
                       std::tuple(b->id.kind, b->id.ticket, b->id.number);
            });
        }
        return sorted_;
    }

    raw_map* choose(std::uint8_t by) {
        constexpr segment_kind kinds[] = {segment_kind::registry,        segment_kind::ring,
                                          segment_kind::readers,         segment_kind::lanes,
                                          segment_kind::lanes,           segment_kind::lanes,
                                          segment_kind::circuit_breaker, segment_kind::life};
        segment_kind const kind = kinds[by & 7];
        std::vector<raw_map*> fit;
        for (raw_map* const m : maps()) {
            if (m->id.kind == kind) {
                fit.push_back(m);
            }
        }
        return fit.empty() ? nullptr : fit[(by >> 3) % fit.size()];
    }

    void write(std::uint8_t const* i) {
        raw_map* const m = choose(i[1]);
        if (m == nullptr) {
            return;
        }
        auto const which = read_as<std::uint16_t>(i + 2);
        std::size_t at = 0;
        if (!m->interesting.empty()) {
            at = m->interesting[which % m->interesting.size()];
        } else {
            // What rules it is at the beginning.
            at = which % ((i[0] & 8) != 0 ? m->words() : std::min<std::size_t>(m->words(), 160));
        }
        auto const value = read_as<std::uint64_t>(i + 4);
        std::uint64_t const odd = nasty[value % nasty.size()];
        std::uint64_t const small = value >> 8 & 63;
        std::atomic_ref<std::uint64_t> const word(*m->word(at));
        std::uint64_t const now = word.load(std::memory_order_relaxed);
        std::uint64_t const tickets[] = {
            0,  in.enemy.ticket(), in.victim.ticket(), in.victim.ticket() + 1,
            77, ticket_max,        in.enemy.ticket(),  in.victim.ticket()};
        std::uint64_t next = value;
        switch (i[0] & 7) {
        case 0: break;
        case 1: next = odd; break;
        case 2: next = now + odd; break;
        case 3: next = (now & ~std::uint64_t{0xffff'ffff}) | (odd & 0xffff'ffff); break;
        case 4: next = (now & 0xffff'ffff) | odd << 32; break;
        case 5:
            next = owner::make(tickets[value & 7], static_cast<slot_phase>(value >> 3 & 3),
                               now + small)
                       .word;
            break;
        case 6: next = ((value & 1) != 0 ? now : 0) + 2 * small + (value >> 1 & 3) - 1; break;
        default: // a stretch of it
            next = value;
            for (std::size_t k = 0; k < small && m->interesting.empty() && at + k < m->words();
                 ++k) {
                next = next * 0x9e37'79b9'7f4a'7c15 + 1;
                std::atomic_ref<std::uint64_t>(*m->word(at + k))
                    .store((value & 1) != 0 ? nasty[(next >> 32) % nasty.size()] : next >> 3,
                           std::memory_order_relaxed);
            }
            return;
        }
        word.store(next, std::memory_order_relaxed);
    }

    /// While the registry still says it.
    style style_of(segment_id const& id) const {
        if (id.kind != segment_kind::ring && id.kind != segment_kind::readers &&
            id.kind != segment_kind::lanes) {
            return style::rest;
        }
        constexpr std::pair<entry_kind, style> kinds[] = {
            {entry_kind::topic_publisher, style::topics},
            {entry_kind::inbox, style::oneway},
            {entry_kind::surveyor, style::surveys}};
        for (auto const& [kind, its] : kinds) {
            for (entry_info const& e : in.victim.core()->entries(kind, "")) {
                if (e.owner_ticket == id.ticket && e.number == id.number) {
                    return its;
                }
            }
        }
        return style::calls; // a server's, or a client's, which is in no registry
    }

    house& in;
    household_pair all;

  private:
    std::vector<std::unique_ptr<raw_map>> opened_;
    std::vector<raw_map*> sorted_;
    std::uint64_t seen_ = ~std::uint64_t{0};
};

hostile_image::hostile_image() : house_(std::make_unique<house>()) {}
hostile_image::~hostile_image() = default;

void hostile_image::begin() { round_ = std::make_unique<round>(*house_); }

void hostile_image::end() {
    round_.reset();
    house_->restore();
    // A participant remembers the life words that it has seen, for as long as it is there.
    constexpr std::size_t lives_remembered = 8;
    if (std::size_t const now = guarded_mappings(); now > house_->mappings + lives_remembered) {
        house_->wrong =
            std::to_string(now) + " files are mapped, it were " + std::to_string(house_->mappings);
    }
}

void hostile_image::follow(std::span<std::uint8_t const> instructions) {
    for (; instructions.size() >= instruction_bytes;
         instructions = instructions.subspan(instruction_bytes)) {
        if ((instructions[0] & 0x80) != 0) {
            round_->write(instructions.data());
        } else {
            round_->all.use(instructions.data());
        }
    }
}

void hostile_image::write(std::span<std::uint8_t const> instructions) {
    for (; instructions.size() >= instruction_bytes;
         instructions = instructions.subspan(instruction_bytes)) {
        round_->write(instructions.data());
    }
}

std::vector<hostile_image::instruction> const& hostile_image::script(style of) {
    using h = household;
    constexpr std::uint8_t enemy = 0x40;
    auto const make = [](std::initializer_list<std::array<std::uint8_t, 3>> all) {
        std::vector<instruction> made;
        for (auto const& [what, how, much] : all) {
            made.push_back({what, how, much});
        }
        return made;
    };
    static std::vector<instruction> const scripts[] = {
        make(
            {{h::publish | enemy, 8, 0},    {h::subscribe, 1, 3}, // lossless, then the others
             {h::publish | enemy, 0x39, 0}, {h::read_topic, 1, 0},    {h::publish | enemy, 6, 0},
             {h::read_topic, 2, 0},         {h::subscribe, 0, 9},     {h::read_topic, 1, 0},
             {h::publish | enemy, 1, 0},    {h::subscribe, 2, 9},     {h::read_topic, 0, 0},
             {h::subscribe, 8, 2},          {h::read_topic, 0, 0},    {h::look_at_latest, 0, 0},
             {h::look_at_domain, 3, 0},     {h::publish, 8, 0}, // and the other way round
             {h::subscribe | enemy, 1, 0},  {h::publish, 0xf1, 0},    {h::read_topic | enemy, 1, 0},
             {h::publish, 0x70, 0},         {h::ask_peers, 1, 0},     {h::wait, 0, 0},
             {h::descriptors, 0, 0},        {h::close | enemy, 1, 0}, {h::close, 1, 0}}),
        make({{h::receive, 4, 0},
              {h::receive | enemy, 0, 0},
              {h::make_sender | enemy, 1, 0},
              {h::send | enemy, 1, 0},
              {h::receive, 1, 0},
              {h::make_sender, 0, 0},
              {h::send, 1, 0},
              {h::send, 2, 0},
              {h::receive | enemy, 2, 0},
              {h::make_sender, 1, 0},
              {h::send, 0, 0},
              {h::make_sender, 2, 0},
              {h::send, 1, 0},
              {h::send, 1, 0},
              {h::receive | enemy, 0, 0},
              {h::send | enemy, 2, 0},
              {h::receive, 2, 0},
              {h::look_at_domain, 4, 0},
              {h::ask_peers, 0, 0},
              {h::wait, 0, 0},
              {h::descriptors, 0, 0},
              {h::close | enemy, 4, 0},
              {h::receive, 0, 0},
              {h::close, 4, 0}}),
        make({{h::serve, 1, 0},
              {h::serve | enemy, 2, 0},
              {h::call, 3, 0}, // a long one
              {h::call, 0x46, 0},
              {h::call, 2, 0},
              {h::serve | enemy, 9, 0},
              {h::look_for_replies, 1, 0},
              {h::call | enemy, 3, 0},
              {h::call | enemy, 2, 0},
              {h::call | enemy, 5, 0},
              {h::serve, 4, 0},
              {h::look_for_replies | enemy, 0, 0},
              {h::call, 1, 0},
              {h::make_client, 0x77, 0},
              {h::serve | enemy, 0, 0},
              {h::look_for_replies, 0, 0},
              {h::call, 6, 0},
              {h::serve | enemy, 12, 0},
              {h::wait, 0, 0},
              {h::descriptors, 0, 0},
              {h::look_for_replies, 7, 0},
              {h::ask_peers, 0, 0},
              {h::say, 1, 0},
              {h::close | enemy, 6, 0},
              {h::serve, 1, 0},
              {h::close, 6, 0}}),
        make({{h::make_surveyor, 0, 0},
              {h::make_surveyor | enemy, 0, 0},
              {h::respond, 0, 0},
              {h::respond | enemy, 0, 0},
              {h::ask_all, 0, 0},
              {h::ask_all | enemy, 0, 0},
              {h::respond, 0, 0},
              {h::respond | enemy, 0, 0},
              {h::look_for_answers, 0, 0},
              {h::ask_all, 0x42, 0},
              {h::ask_all | enemy, 0x40, 0},
              {h::ask_all | enemy, 0, 0},
              {h::respond, 0, 0},
              {h::look_for_answers | enemy, 0, 0},
              {h::respond | enemy, 0, 0},
              {h::wait, 0, 0},
              {h::descriptors, 0, 0},
              {h::look_for_answers, 4, 0},
              {h::look_for_answers | enemy, 12, 0},
              {h::ask_peers, 2, 0},
              {h::say, 1, 0},
              {h::close | enemy, 8, 0},
              {h::look_for_answers, 8, 0},
              {h::close, 7, 0}}),
        make({{h::publish, 0, 0},
              {h::publish | enemy, 0, 0},
              {h::subscribe, 1, 0},
              {h::read_topic, 0, 0},
              {h::receive, 0, 0},
              {h::make_sender | enemy, 1, 0},
              {h::send | enemy, 0, 0},
              {h::receive, 0, 0},
              {h::serve, 0, 0},
              {h::call | enemy, 0x50, 0},
              {h::respond, 0, 0},
              {h::ask_all | enemy, 0, 0},
              {h::respond, 0, 0},
              {h::look_for_answers | enemy, 0, 0},
              {h::serve | enemy, 2, 0}, // streams
              {h::call, 0x56, 0},
              {h::serve | enemy, 2, 0},
              {h::look_for_replies, 1, 0},
              {h::respond | enemy, 0, 0},
              {h::ask_all, 0, 0},
              {h::respond | enemy, 0, 0},
              {h::look_for_answers, 0, 0},
              {h::guard, 0, 0},
              {h::guard | enemy, 1, 0},
              {h::guard, 0x0a, 0},
              {h::guard, 0x10, 0},
              {h::guard, 1, 0},
              {h::say, 0, 0},
              {h::say | enemy, 0, 0},
              {h::look_at_domain, 0, 0},
              {h::look_at_domain, 1, 0},
              {h::look_at_domain, 2, 0},
              {h::look_at_domain, 5, 0},
              {h::newcomer, 0, 0},
              {h::close, 10, 0},
              {h::close, 9, 0},
              {h::close, 5, 0}})};
    static std::vector<instruction> const all = [] {
        std::vector<instruction> joined;
        for (auto const& one : scripts) {
            joined.insert(joined.end(), one.begin(), one.end());
        }
        return joined;
    }();
    return of == style::all ? all : scripts[static_cast<std::size_t>(of)];
}

void hostile_image::use(instruction const& one) { round_->all.use(one.data()); }

std::vector<hostile_image::place> hostile_image::places(style of) {
    std::vector<place> all;
    for (raw_map* const m : round_->maps()) {
        style const its = round_->style_of(m->id);
        if (of != style::all && its != of) {
            continue;
        }
        std::string const file = file_name(m->id);
        std::size_t const words = m->interesting.empty() ? m->words() : m->interesting.size();
        for (std::size_t i = 0; i < words; ++i) {
            std::size_t const at = m->interesting.empty() ? i : m->interesting[i];
            // Payloads of chunks are nobody's business.
            if (m->interesting.empty() && i >= 1200) {
                break;
            }
            all.push_back({file + " word " + std::to_string(at), m->word(at), 8});
        }
    }
    return all;
}

std::vector<std::string> hostile_image::files() const {
    std::vector<std::string> all;
    for (segment_id const& id : list_segments(house_->victim.core()->dir())) {
        if (id.kind != segment_kind::life && id.kind != segment_kind::wake) {
            all.push_back(house_->victim.core()->dir().path_of(file_name(id)));
        }
    }
    return all;
}

std::string hostile_image::what_others_saw() {
    house& h = *house_;
    if (!h.wrong.empty()) {
        return std::exchange(h.wrong, {});
    }
    for (int i = 0; i < 20; ++i) {
        if (!h.other_pub.send(tick::of(h.other_sent))) {
            return "a message could not be sent";
        }
        auto const s = h.other_sub.try_receive();
        if (!s || !s->whole() || s->number != h.other_sent || s.missed() != 0) {
            return "message " + std::to_string(h.other_sent) + " is not there as it was sent";
        }
        h.other_sent += 1;
    }
    return h.other.snapshot().participants.size() == 1 ? "" : "the registry is another";
}

} // namespace partywall::test
