// Model files that tests may break.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "tests/e2e/process.h"
#include "tests/support/hub_model.h"
#include "tests/support/sanitized.h"

namespace flashmoe::e2e {

// "48MB" and 48'000'000; more where sanitizers take memory too.
std::string Budget(uint64_t megabytes);
uint64_t BudgetBytes(uint64_t megabytes);

// A scratch folder that goes away with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Returns the path of the new file.
  std::string Write(std::string_view name, std::string_view content) const;
  std::string Copy(std::string_view name, const std::string& from) const;
  std::set<std::string> Names() const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);
void WriteAt(const std::string& path, uint64_t offset, std::string_view bytes);

// The bundled model.
std::string Ember();
inline constexpr std::string_view kQuestion = "What does the grep command do?";

// A small random model as one GGUF file of 16 MB; `change` is applied first.
std::string WriteTinyGguf(const Folder& folder, const std::function<void(HubModel&)>& change = {});
// A copy of `file` with the value of metadata `key`, a number of 4 bytes, replaced.
std::string WithNumber(std::string file, std::string_view key, uint32_t value);

// Fails the test unless the program ended as a user may expect of bad input: on its own, soon, with
// code 1 and one line on stderr. Returns that line.
std::string ExpectRefusal(const ProcessResult& result);
// Fails the test unless the program ended well; returns its output as JSON.
nlohmann::json ExpectJson(const ProcessResult& result);

}  // namespace flashmoe::e2e
