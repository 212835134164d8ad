#include "tests/e2e/models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/test_model.h"
#include "tests/support/to_gguf.h"

namespace flashmoe::e2e {

namespace fs = std::filesystem;

Folder::Folder() {
  std::string pattern = testing::TempDir() + "/flashmoe_e2e_XXXXXX";
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string Folder::Write(std::string_view name, std::string_view content) const {
  std::ofstream(File(name), std::ios::binary) << content;
  return File(name);
}

std::string Folder::Copy(std::string_view name, const std::string& from) const {
  std::error_code error;
  fs::copy_file(from, File(name), error);
  EXPECT_FALSE(error) << error.message();
  return File(name);
}

std::set<std::string> Folder::Names() const {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    names.insert(entry.path().filename());
  }
  return names;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteAt(const std::string& path, uint64_t offset, std::string_view bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file) << path;
}

uint64_t BudgetBytes(uint64_t megabytes) {
  constexpr uint64_t kSanitizersMegabytes = 600;
  return (megabytes + (kSanitized ? kSanitizersMegabytes : 0)) * 1'000'000;
}

std::string Budget(uint64_t megabytes) {
  return std::to_string(BudgetBytes(megabytes) / 1'000'000) + "MB";
}

std::string Ember() { return BundledModel(); }

std::string WriteTinyGguf(const Folder& folder, const std::function<void(HubModel&)>& change) {
  HubModel model = HubModel::Load(TinyModel("tiny-random"));
  if (change) change(model);
  return WriteGguf(model, folder.File("tiny"));
}

std::string WithNumber(std::string file, std::string_view key, uint32_t value) {
  const size_t at = file.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  if (at == std::string::npos) return file;
  std::memcpy(file.data() + at + key.size() + sizeof(uint32_t), &value, sizeof value);
  return file;
}

std::string ExpectRefusal(const ProcessResult& result) {
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.err, testing::StartsWith("flashmoe: error: "));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  return result.err;
}

nlohmann::json ExpectJson(const ProcessResult& result) {
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 0) << "signal " << result.signal << ": " << result.err;
  auto json = nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_TRUE(json.is_object()) << result.out;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  return json.is_object() ? json : nlohmann::json::object();
}

}  // namespace flashmoe::e2e
