#include "io/private_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/test_path.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PrivateFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = TestPath("private");
    fs::remove_all(root_);
    fs::create_directory(root_);
    mask_ = umask(0);
  }
  void TearDown() override {
    umask(mask_);
    fs::remove_all(root_);
  }

  fs::path root_;
  mode_t mask_ = 0;
};

TEST_F(PrivateFolderTest, WhatIsMissingIsMadeForTheOwnerAlone) {
  fs::permissions(root_, fs::perms::owner_all | fs::perms::group_read);
  for (const char* path : {"a/b/c", "a/b/d/", "a/./e/../f", "g"}) {
    const auto made = MakePrivateFolder((root_ / path).string());
    EXPECT_TRUE(made.has_value()) << made.error().ToString();
  }
  for (const char* path : {"a", "a/b", "a/b/c", "a/b/d", "a/f", "g"}) {
    EXPECT_EQ(fs::status(root_ / path).permissions(), fs::perms::owner_all) << path;
  }
  EXPECT_TRUE(MakePrivateFolder(root_.string()).has_value());
  EXPECT_EQ(fs::status(root_).permissions(), fs::perms::owner_all | fs::perms::group_read)
      << "it was there";
}

TEST_F(PrivateFolderTest, AFileInTheWayIsNamed) {
  std::ofstream(root_ / "file") << "x";
  for (const char* path : {"file", "file/a", "file/a/b"}) {
    const auto made = MakePrivateFolder((root_ / path).string());
    ASSERT_FALSE(made.has_value()) << path;
    EXPECT_THAT(made.error().ToString(), HasSubstr((root_ / "file").string()));
  }
}

}  // namespace
}  // namespace flashmoe
