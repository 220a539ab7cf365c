// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/directory.hpp>

#include <partywall/segment/segment.hpp>

#include "support/role.hpp"
#include "support/scratch_root.hpp"
#include "umask_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <unistd.h>

namespace partywall {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Directory : public testing::Test {
  protected:
    test::scratch_root scratch_;
    /// A root below the scratch root, so that the root too is made or refused.
    std::string const root_ = scratch_.path() + "/root";

    result<directory, segment_failure> open(bool create, sharing share = sharing::owner_only) {
        return open_directory(root_, "dom", share, create);
    }
    /// Expects a refusal that names `path` and all of `words`.
    template <class... Words>
    static void expect_refusal(result<directory, segment_failure> const& r, segment_errc code,
                               std::string const& path, Words const&... words) {
        ASSERT_FALSE(r);
        EXPECT_EQ(r.error().code, code) << r.error().message;
        EXPECT_THAT(r.error().message,
                    AllOf(HasSubstr("cannot "), HasSubstr(path + ":"), HasSubstr(words)...));
    }
};

TEST_F(Directory, IsMadeWithExactPermissionsWhateverTheUmask) {
    for (mode_t const mask : {0000U, 0022U, 0077U, 0277U, 0777U}) {
        for (sharing const share : {sharing::owner_only, sharing::group}) {
            test::umask_guard const guard(mask);
            auto const made = open(true, share);
            ASSERT_TRUE(made) << made.error().message;
            mode_t const expected = share == sharing::group ? 02770 : 0700;
            EXPECT_EQ(test::mode_of(root_), expected) << std::oct << mask;
            EXPECT_EQ(test::mode_of(root_ + "/dom"), expected) << std::oct << mask;
            EXPECT_THAT(scratch_.leftovers(), testing::ElementsAre("root/", "root/dom/"));
            fs::remove_all(root_);
        }
    }
}

TEST_F(Directory, SaysWhatItIs) {
    auto const made = open(true);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->path(), root_ + "/dom");
    EXPECT_EQ(made->path_of("x"), root_ + "/dom/x");
    EXPECT_EQ(made->identity(), os::identity_of(made->path().c_str()));
    EXPECT_EQ(made->file_mode(), 0600U);
    EXPECT_EQ(made->share(), sharing::owner_only);
    auto const again = open(false);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->identity(), made->identity());
}

TEST_F(Directory, IsNotMadeUnlessAsked) {
    expect_refusal(open(false), segment_errc::not_found, root_);
    EXPECT_TRUE(scratch_.leftovers().empty());
    fs::create_directory(root_);
    ::chmod(root_.c_str(), 0700);
    expect_refusal(open(false), segment_errc::not_found, root_ + "/dom");
}

TEST_F(Directory, TheParentOfTheRootIsNeverMade) {
    expect_refusal(open_directory(root_ + "/deeper", "dom", sharing::owner_only, true),
                   segment_errc::not_found, root_);
    EXPECT_TRUE(scratch_.leftovers().empty());
}

TEST_F(Directory, NamesThatAreNoFileNamesAreRefused) {
    using namespace std::string_literals;
    for (std::string const& name : {""s, "."s, ".."s, "a/b"s, "/"s, "../x"s, "a\0b"s}) {
        auto const r = open_directory(scratch_.path(), name, sharing::owner_only, true);
        ASSERT_FALSE(r) << name;
        EXPECT_EQ(r.error().code, segment_errc::bad_argument) << name;
    }
    for (std::string const& root : {""s, "/"s, "///"s, (scratch_.path() + "\0x"s)}) {
        auto const r = open_directory(root, "dom", sharing::owner_only, true);
        ASSERT_FALSE(r) << root;
        EXPECT_EQ(r.error().code, segment_errc::bad_argument) << root;
    }
    EXPECT_FALSE(open_directory(scratch_.path(), std::string(300, 'x'), sharing::owner_only, true));
    EXPECT_TRUE(scratch_.leftovers().empty());
}

TEST_F(Directory, AnyModeButTheExactOneIsRefusedAndLeftAlone) {
    ASSERT_TRUE(open(true));
    for (std::string const& path : {root_, root_ + "/dom"}) {
        for (mode_t const mode : {0755U, 0770U, 0701U, 02700U, 01700U, 0600U, 0500U}) {
            ASSERT_EQ(::chmod(path.c_str(), mode), 0);
            auto const r = open(true);
            ASSERT_FALSE(r) << std::oct << mode;
            // Without the right to read it the kernel refuses first, except for root.
            EXPECT_TRUE(r.error().code == segment_errc::wrong_mode ||
                        r.error().code == segment_errc::permission);
            EXPECT_EQ(test::mode_of(path), mode);
        }
        ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
        expect_refusal(open(true), segment_errc::wrong_mode, path, "0755", "0700");
        ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
    }
    expect_refusal(open(true, sharing::group), segment_errc::wrong_mode, root_, "0700", "02770");
    EXPECT_TRUE(open(true));
}

TEST_F(Directory, WhatIsNoDirectoryIsRefusedAndLeftAlone) {
    for (std::string const& path : {root_, root_ + "/dom"}) {
        std::string const target = scratch_.path() + "/target";
        fs::create_directory(target);
        ::chmod(target.c_str(), 0755);

        fs::create_directory_symlink(target, path);
        expect_refusal(open(true), segment_errc::wrong_type, path, "symbolic link");
        EXPECT_EQ(test::mode_of(target), 0755U);
        EXPECT_TRUE(fs::is_empty(target));
        fs::remove(path);

        fs::create_symlink(scratch_.path() + "/nowhere", path);
        expect_refusal(open(true), segment_errc::wrong_type, path, "symbolic link");
        EXPECT_FALSE(fs::exists(scratch_.path() + "/nowhere"));
        fs::remove(path);

        std::ofstream(path) << "a file";
        expect_refusal(open(true), segment_errc::wrong_type, path, "regular file");
        fs::remove(path);

        ASSERT_EQ(::mkfifo(path.c_str(), 0700), 0);
        expect_refusal(open(true), segment_errc::wrong_type, path, "fifo");
        fs::remove(path);

        fs::remove(target);
        if (path == root_) {
            fs::create_directory(root_);
            ::chmod(root_.c_str(), 0700);
        }
    }
}

TEST_F(Directory, ASlashAtTheEndDoesNotMakeItFollowALink) {
    std::string const target = scratch_.path() + "/target";
    ASSERT_TRUE(open_directory(target, "dom", sharing::owner_only, true));
    fs::create_directory_symlink(target, root_);
    expect_refusal(open_directory(root_ + "//", "dom", sharing::owner_only, true),
                   segment_errc::wrong_type, root_, "symbolic link");
    EXPECT_TRUE(open_directory(target + "//", "dom", sharing::owner_only, true));
}

TEST_F(Directory, LinksInTheParentsOfTheRootAreTheAdministrators) {
    std::string const link = scratch_.path() + "/link";
    fs::create_directory_symlink(scratch_.path(), link);
    auto const direct = open(true);
    auto const through = open_directory(link + "/root", "dom", sharing::owner_only, false);
    ASSERT_TRUE(direct && through);
    EXPECT_EQ(direct->identity(), through->identity());
}

TEST_F(Directory, ARelativeRootIsFixedWhenItIsOpened) {
    fs::path const before = fs::current_path();
    fs::current_path(scratch_.path());
    auto const made = open_directory("root", "dom", sharing::owner_only, true);
    fs::current_path(before);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->path(), root_ + "/dom");
    EXPECT_TRUE(made->open());
}

TEST_F(Directory, AnotherDirectoryOfTheSameNameIsNotTakenForIt) {
    auto const made = open(true);
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->open());
    fs::rename(root_ + "/dom", root_ + "/old"); // or its identity might be used again
    auto const gone = made->open();
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, segment_errc::not_found);

    ASSERT_TRUE(open(true));
    auto const replaced = made->open();
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().code, segment_errc::not_found);
    EXPECT_THAT(replaced.error().message, HasSubstr("another directory"));
    EXPECT_FALSE(made->try_open());
    EXPECT_EQ(errno, ESTALE);
}

/// The name under which a directory waits for its permissions.
std::string temporary(std::string const& name) {
    return "." + name + "." + std::to_string(::geteuid()) + ".tmp";
}

TEST_F(Directory, WhatAKilledCreatorLeftIsUsedByTheNextOne) {
    // Killed right after mkdir(), under a strict umask: no permissions at all.
    std::string const left = scratch_.path() + "/" + temporary("root");
    ASSERT_EQ(::mkdir(left.c_str(), 0), 0);
    ASSERT_TRUE(open(true));
    EXPECT_THAT(scratch_.leftovers(), testing::ElementsAre("root/", "root/dom/"));
}

TEST_F(Directory, WhatAKilledCreatorLeftBesideTheDirectoryIsRemovedByTheNextOpener) {
    ASSERT_TRUE(open(true));
    ASSERT_EQ(::mkdir((scratch_.path() + "/" + temporary("root")).c_str(), 0700), 0);
    ASSERT_EQ(::mkdir((root_ + "/" + temporary("dom")).c_str(), 0700), 0);
    ASSERT_TRUE(open(true));
    EXPECT_THAT(scratch_.leftovers(), testing::ElementsAre("root/", "root/dom/"));
}

TEST_F(Directory, ALinkPlantedAtTheTemporaryNameIsNotFollowed) {
    std::string const target = scratch_.path() + "/target";
    fs::create_directory(target);
    ::chmod(target.c_str(), 0755);
    fs::create_directory_symlink(target, scratch_.path() + "/" + temporary("root"));
    auto const r = open(true);
    ASSERT_FALSE(r);
    EXPECT_THAT(r.error().message, AllOf(HasSubstr(root_), HasSubstr(temporary("root"))));
    EXPECT_EQ(test::mode_of(target), 0755U);
    EXPECT_FALSE(fs::exists(root_));
}

PARTYWALL_ROLE(opens_a_directory) {
    context.send("ready");
    context.expect("go");
    auto const made = open_directory(context.arg(0), "dom", sharing::owner_only, true);
    context.send(made ? std::to_string(made->identity().ino) : made.error().message);
    return 0;
}

TEST_F(Directory, ManyWhoMakeItAtOnceGetTheSameOne) {
    for (int round = 0; round < 3; ++round) {
        std::vector<test::child> makers;
        for (int i = 0; i < 6; ++i) {
            makers.push_back(test::spawn("opens_a_directory", {root_}));
        }
        for (test::child& maker : makers) {
            maker.expect("ready");
        }
        for (test::child& maker : makers) {
            maker.send("go");
        }
        std::string const first = makers.front().receive();
        for (std::size_t i = 1; i < makers.size(); ++i) {
            EXPECT_EQ(makers[i].receive(), first);
        }
        EXPECT_EQ(std::to_string(open(false).value().identity().ino), first);
        ASSERT_TRUE(open(true)); // removes what the slower ones may have left on their way
        EXPECT_THAT(scratch_.leftovers(), testing::ElementsAre("root/", "root/dom/"));
        fs::remove_all(root_);
    }
}

constexpr uid_t stranger_uid = 54321;
constexpr gid_t friends_gid = 54322;

/// Becomes another user, who belongs to the group of friends.
void become_stranger() {
    gid_t const groups[] = {friends_gid};
    PARTYWALL_ROLE_CHECK(::setgroups(1, groups) == 0 && ::setgid(stranger_uid) == 0 &&
                         ::setuid(stranger_uid) == 0);
}

class DirectoryOfOthers : public Directory {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) {
            GTEST_SKIP() << "only root can make files of other users";
        }
        ASSERT_EQ(::chmod(scratch_.path().c_str(), 0755), 0); // let strangers as far as the root
    }
};

TEST_F(DirectoryOfOthers, AForeignOwnerIsRefused) {
    ASSERT_TRUE(open(true));
    for (std::string const& path : {root_ + "/dom", root_}) {
        ASSERT_EQ(::chown(path.c_str(), stranger_uid, 0), 0);
        expect_refusal(open(true), segment_errc::wrong_owner, path, "uid 54321", "uid 0");
    }
}

TEST_F(DirectoryOfOthers, AForeignDirectoryAtTheTemporaryNameIsNotAdopted) {
    std::string const planted = scratch_.path() + "/" + temporary("root");
    ASSERT_EQ(::mkdir(planted.c_str(), 0755), 0);
    ASSERT_EQ(::chown(planted.c_str(), stranger_uid, 0), 0);
    expect_refusal(open(true), segment_errc::permission, root_, temporary("root"));
    EXPECT_EQ(test::mode_of(planted), 0755U);
    EXPECT_FALSE(fs::exists(root_));
}

PARTYWALL_ROLE(is_a_stranger_at_the_door) {
    become_stranger();
    for (bool const create : {false, true}) {
        auto const r = open_directory(context.arg(0), "dom", sharing::owner_only, create);
        PARTYWALL_ROLE_CHECK(!r && r.error().code == segment_errc::permission);
    }
    // Not even by its very path: nothing in there can be read.
    PARTYWALL_ROLE_CHECK(!os::open((context.arg(0) + "/dom/registry").c_str(), O_RDONLY));
    PARTYWALL_ROLE_CHECK(errno == EACCES);
    return 0;
}

TEST_F(DirectoryOfOthers, AStrangerIsRefusedPermission) {
    directory const where = open(true).value();
    ASSERT_TRUE(create_segment(where, {{segment_kind::registry}, 1, 1, 128, 0}, nullptr, nullptr));
    EXPECT_EQ(test::spawn("is_a_stranger_at_the_door", {root_}).wait(), test::exited(0));
}

constexpr segment_id shared_id{segment_kind::ring, 7, 1};

PARTYWALL_ROLE(is_a_member_of_the_group) {
    become_stranger();
    ::umask(0077);
    auto const where = open_directory(context.arg(0), "dom", sharing::group, true);
    PARTYWALL_ROLE_CHECK(where);
    auto const shared = attach_segment(*where, {shared_id, 1, 2}, access::read_write);
    PARTYWALL_ROLE_CHECK(shared);
    shared->data()[200] = std::byte{42};
    // What this one makes, the others can use.
    auto const own =
        create_segment(*where, {{segment_kind::life, 8}, 1, 2, 300, 0}, nullptr, nullptr);
    PARTYWALL_ROLE_CHECK(own);
    // But not without the right to be here, in a domain that is not shared.
    PARTYWALL_ROLE_CHECK(!open_directory(context.arg(0), "dom", sharing::owner_only, true));
    return 0;
}

TEST_F(DirectoryOfOthers, AGroupSharesADomainWhoeverMadeWhat) {
    ASSERT_EQ(::mkdir(root_.c_str(), 0700), 0);
    ASSERT_EQ(::chown(root_.c_str(), 0, friends_gid), 0);
    ASSERT_EQ(::chmod(root_.c_str(), 02770), 0);
    test::umask_guard const guard(0077);
    directory const where = open(true, sharing::group).value();
    EXPECT_EQ(where.group(), friends_gid);
    mapping const mine = create_segment(where, {shared_id, 1, 2, 300, 0}, nullptr, nullptr).value();
    EXPECT_EQ(test::mode_of(where.path_of("ring.7.1")), 0660U);

    ASSERT_EQ(test::spawn("is_a_member_of_the_group", {root_}).wait(), test::exited(0));
    EXPECT_EQ(mine.data()[200], std::byte{42});
    EXPECT_TRUE(attach_segment(where, {{segment_kind::life, 8}, 1, 2}, access::read_write));
    EXPECT_EQ(test::mode_of(where.path_of("life.8")), 0660U);

    ASSERT_EQ(::chown(where.path_of("life.8").c_str(), stranger_uid, 99), 0);
    auto const foreign = attach_segment(where, {{segment_kind::life, 8}, 1, 2}, access::read_only);
    ASSERT_FALSE(foreign);
    EXPECT_EQ(foreign.error().code, segment_errc::wrong_owner);
    EXPECT_THAT(foreign.error().message, AllOf(HasSubstr("gid 99"), HasSubstr("gid 54322")));
}

} // namespace
} // namespace partywall
