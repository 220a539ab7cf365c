// SPDX-License-Identifier: BSL-1.0
#include "operation.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace partywall::test {

victim::victim(role_context& context, world const& where)
    : context_(context), root_(context.arg(1)), world_(where), ledger_(root_),
      record_(open_trap_record(root_)) {}

participant& victim::join() {
    me_.emplace(joined(root_, "victim"));
    ledger_[noted::victim_ticket] = me_->ticket();
    return *me_;
}
participant& victim::me() { return me_ ? *me_ : join(); }

void victim::get_ready() {
    context_.send("ready");
    context_.expect("go");
}

void victim::arm() {
    std::string const& action = context_.arg(2);
    ledger_[noted::victim_armed] = 1;
    if (action == "run") {
        return;
    }
    if (action == "step") { // the test steps from the first of these signals to the second
        ::raise(SIGUSR1);
        return;
    }
    store_trap::arm(root_ + "/d", record_,
                    action == "kill"   ? trap_action::kill
                    : action == "stop" ? trap_action::stop
                                       : trap_action::count,
                    context_.number(3));
}

void victim::complete() {
    if (context_.arg(2) == "step") {
        ::raise(SIGUSR2);
    }
    ledger_[noted::victim_done] = 1;
    context_.send("done");
    context_.expect("leave");
}

parcel victim::next(std::uint64_t attempted) {
    std::uint64_t const number = next_++;
    ledger_[noted::victim_attempted] = number + attempted;
    return parcel::of(number, ledger_.get(noted::victim_sender));
}
void victim::was_sent(std::uint64_t count) { ledger_[noted::victim_sent].fetch_add(count); }

bool victim::took(sample<parcel> const& s) {
    if (s && s->sender < noted::senders_max) {
        will_take(s->sender, 1);
    }
    books_->enter(s);
    std::string const complaint = wrong_.take();
    if (!complaint.empty()) {
        role_check_failed(complaint.c_str(), __FILE__, __LINE__);
    }
    return static_cast<bool>(s);
}

std::vector<operation> const& operations() {
    static std::vector<operation> const all = [] {
        std::vector<operation> list;
        for (auto* const make :
             {&lifecycle_operations, &send_operations, &receive_operations, &recovery_operations,
              &whole_lives, &inbox_operations, &post_operations, &letter_operations,
              &waiting_operations, &breaker_operations, &call_operations}) {
            auto more = (*make)();
            std::move(more.begin(), more.end(), std::back_inserter(list));
        }
        auto large = large_operations(list);
        std::move(large.begin(), large.end(), std::back_inserter(list));
        return list;
    }();
    return all;
}

operation const& operation_named(std::string const& name) {
    auto const& all = operations();
    auto const found = std::find_if(all.begin(), all.end(),
                                    [&](operation const& one) { return one.name == name; });
    if (found == all.end()) {
        throw std::invalid_argument("there is no operation " + name);
    }
    return *found;
}

/// operation, root, action, point
PARTYWALL_ROLE(crash_victim) {
    operation const& what = operation_named(context.arg(0));
    victim v(context, what.where);
    what.run(v);
    return 0;
}

} // namespace partywall::test
