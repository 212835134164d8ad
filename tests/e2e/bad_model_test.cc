// Files that are missing, foreign, damaged or made to hurt: one line, code 1, soon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "format/gguf_writer.h"
#include "format/model_file.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

ProcessResult Ask(const std::string& model, const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {"run", "-m", model, "--raw", "-p", "Hello", "-t", "2"};
  all.insert(all.end(), more.begin(), more.end());
  if (std::find(more.begin(), more.end(), "-n") == more.end()) {
    all.insert(all.end(), {"-n", "2"});
  }
  return RunFlashmoe(all, {.seconds_max = kSanitized ? 120.0 : 30.0});
}

TEST(BadModelTest, WhatIsNoModel) {
  const Folder folder;
  std::filesystem::create_directory(folder.File("empty"));
  const std::vector<std::string> paths = {folder.File("missing.gguf"),
                                          folder.File("empty"),
                                          folder.Write("zero.gguf", ""),
                                          folder.Write("text.gguf", "Dear diary,\n"),
                                          folder.Write("magic.gguf", "GGUF"),
                                          "/dev/null",
                                          "/dev/zero",
                                          std::string(5000, 'x')};
  for (const std::string& path : paths) {
    for (const char* command : {"info", "tokenize"}) {
      SCOPED_TRACE(std::string(command) + " " + path.substr(0, 100));
      const std::string line = ExpectRefusal(RunFlashmoe({command, "-m", path}, {.input = "x"}));
      EXPECT_THAT(line, HasSubstr(path.substr(0, 50)));
    }
    ExpectRefusal(Ask(path));
  }
}

TEST(BadModelTest, AFolderWithAnIncompleteCheckpointNamesWhatIsMissing) {
  const Folder folder;
  folder.Write("config.json", ReadFile(FLASHMOE_TEST_DATA "/models/tiny-random/config.json"));
  EXPECT_THAT(ExpectRefusal(Ask(folder.path())), HasSubstr("safetensors"));
  folder.Copy("model.safetensors", FLASHMOE_TEST_DATA "/models/tiny-random/model.safetensors");
  EXPECT_THAT(ExpectRefusal(Ask(folder.path())), HasSubstr("tokenizer.json"));
  std::filesystem::resize_file(folder.File("model.safetensors"), 1'000'000);
  ExpectRefusal(Ask(folder.path()));
}

TEST(BadModelTest, TruncatedAnywhere) {
  const Folder folder;
  const std::string file = folder.Copy("cut.gguf", Ember());
  const uint64_t whole = std::filesystem::file_size(file);
  for (const uint64_t left :
       {whole - 1, whole - 5000, whole / 2, whole / 10, uint64_t{100'000}, uint64_t{1000},
        uint64_t{64}, uint64_t{23}, uint64_t{7}, uint64_t{1}}) {
    std::filesystem::resize_file(file, left);
    SCOPED_TRACE(left);
    EXPECT_THAT(ExpectRefusal(Ask(file)), HasSubstr("cut.gguf"));
  }
}

TEST(BadModelTest, AForeignArchitectureIsNamedWithWhatIsSupported) {
  const Folder folder;
  GgufWriter writer;
  writer.Add("general.architecture", std::string("llama"));
  writer.Add("llama.block_count", uint32_t{2});
  const float zero = 0;
  writer.AddTensor("token_embd.weight", DType::kF32, {1}, std::as_bytes(std::span(&zero, 1)));
  const std::string path = folder.File("llama.gguf");
  ASSERT_TRUE(writer.WriteFile(path).has_value());
  for (const ProcessResult& r : {RunFlashmoe({"info", "-m", path}), Ask(path)}) {
    const std::string line = ExpectRefusal(r);
    EXPECT_THAT(line, HasSubstr("'llama'"));
    EXPECT_THAT(line, HasSubstr("qwen35moe"));
    EXPECT_THAT(line, HasSubstr("qwen3moe"));
  }
}

TEST(BadModelTest, ATensorOfTheWrongShapeIsNamed) {
  const Folder folder;
  const std::string path = WriteTinyGguf(folder, [](HubModel& model) {
    StoredTensor& norm = model.tensors.at("model.layers.1.post_attention_layernorm.weight");
    norm.shape[0] /= 2;
    norm.bytes.resize(norm.bytes.size() / 2);
  });
  EXPECT_THAT(ExpectRefusal(Ask(path)), HasSubstr("blk.1.post_attention_norm.weight"));
}

TEST(BadModelTest, AbsurdNumbersInMetadata) {
  const Folder folder;
  const std::string good = ReadFile(WriteTinyGguf(folder));
  for (const char* key :
       {"block_count", "embedding_length", "context_length", "attention.head_count",
        "attention.head_count_kv", "attention.key_length", "expert_count", "expert_used_count",
        "expert_feed_forward_length", "ssm.state_size", "ssm.group_count", "ssm.time_step_rank",
        "ssm.inner_size", "rope.dimension_count", "full_attention_interval"}) {
    for (const uint32_t value : {0u, 7u, 1000u, 0xffffffffu}) {
      SCOPED_TRACE(std::string(key) + " = " + std::to_string(value));
      const std::string path =
          folder.Write("absurd.gguf", WithNumber(good, "qwen35moe." + std::string(key), value));
      const ProcessResult r = Ask(path);
      if (r.exit_code == 0) continue;  // another context or number of experts makes some sense
      ExpectRefusal(r);
    }
  }
}

// NaN as the scales of all experts of a layer: what comes out is worthless, but it comes out.
TEST(BadModelTest, NotANumberInExpertsNeitherCrashesNorHangs) {
  const Folder folder;
  const std::string path = folder.Copy("nan.gguf", Ember());
  {
    const auto file = ModelFile::Open(path);
    ASSERT_TRUE(file.has_value());
    for (const char* name : {"blk.2.ffn_down_exps.weight", "blk.3.ffn_gate_inp.weight"}) {
      const TensorInfo* tensor = (*file)->Find(name);
      ASSERT_NE(tensor, nullptr);
      WriteAt(path, tensor->offset, std::string(tensor->bytes, '\xff'));
    }
  }
  for (const char* temperature : {"0", "1"}) {
    const ProcessResult r = Ask(path, {"--temp", temperature, "-n", "20"});
    EXPECT_FALSE(r.timed_out);
    EXPECT_EQ(r.signal, 0);
    EXPECT_TRUE(r.exit_code == 0 || r.exit_code == 1) << r.exit_code;
  }
  const ProcessResult r =
      RunFlashmoe({"eval", "-m", path, "--text", "-", "--json", "--top-logprobs", "3"},
                  {.input = "The cat sat."});
  ExpectJson(r);
}

TEST(BadModelTest, HostileTemplatesInAModel) {
  const Folder folder;
  const std::vector<std::string> hostile = {
      "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}"
      "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
      "{{ " + std::string(100'000, '(') + " }}",
      "{% if",
      "{{ messages[0].content.__class__.__mro__ }}{{ raise_exception('stop') }}",
  };
  for (size_t i = 0; i < hostile.size(); ++i) {
    GgufWriter writer;
    writer.Add("general.architecture", std::string("any"));
    writer.Add("tokenizer.chat_template", hostile[i]);
    const std::string path = folder.File("template.gguf");
    ASSERT_TRUE(writer.WriteFile(path).has_value());
    SCOPED_TRACE(i);
    const ProcessResult r =
        RunFlashmoe({"prompt", "-m", path, "--request", "-"},
                    {.input = R"({"messages":[{"role":"user","content":"a"}]})"});
    ExpectRefusal(r);
    EXPECT_TRUE(kSanitized || r.rss_max_bytes < 700'000'000) << r.rss_max_bytes;
  }
}

TEST(BadModelTest, NamesFromTheFileCannotDriveTheTerminal) {
  const Folder folder;
  GgufWriter writer;
  writer.Add("general.architecture", std::string("ev\x1b[2Jil\nname"));
  ASSERT_TRUE(writer.WriteFile(folder.File("e.gguf")).has_value());
  const std::string line = ExpectRefusal(RunFlashmoe({"info", "-m", folder.File("e.gguf")}));
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

// The user's folder is not ours: nothing is written there, whatever happens.
TEST(BadModelTest, NothingIsWrittenNextToTheModel) {
  const Folder folder;
  const std::string path = folder.Copy("model.gguf", Ember());
  const auto before = folder.Names();
  const auto written = std::filesystem::last_write_time(path);
  chmod(path.c_str(), 0444);
  chmod(folder.path().c_str(), 0555);
  EXPECT_EQ(Ask(path, {"--memory", Budget(48)}).exit_code, 0);
  EXPECT_EQ(RunFlashmoe({"info", "-m", path}).exit_code, 0);
  EXPECT_EQ(RunFlashmoe({"info", "-m", folder.path()}).exit_code, 0);
  EXPECT_EQ(RunFlashmoe({"eval", "-m", path, "--text", "-"}, {.input = "a b"}).exit_code, 0);
  EXPECT_EQ(Ask(path, {"--memory", "1MB"}).exit_code, 1);
  chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(folder.Names(), before);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
}

// Seeded damage to the header of a small model. Anything may come of it but a crash or a hang.
TEST(HeaderFuzzTest, FlippedBitsNeverCrash) {
  const Folder folder;
  const std::string path = WriteTinyGguf(folder);
  uint64_t header = UINT64_MAX;
  {
    const auto file = ModelFile::Open(path);
    ASSERT_TRUE(file.has_value());
    for (const TensorInfo& tensor : (*file)->tensors()) header = std::min(header, tensor.offset);
  }
  const std::string good = ReadFile(path).substr(0, header);
  std::mt19937 random(20260);
  const int rounds = kSanitized ? 60 : 240;
  for (int round = 0; round < rounds; ++round) {
    std::string bad = good;
    const int flips = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < flips; ++i) {
      // Every other one among the keys and the directory, where the vocabulary is not.
      const uint64_t edge = random() % 2 == 0 ? 2000 : header;
      const uint64_t at = random() % 4 == 0 ? header - 1 - random() % 6000 : random() % edge;
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    }
    WriteAt(path, 0, bad);
    const bool info = round % 2 == 0;
    const ProcessResult r =
        info ? RunFlashmoe({"info", "-m", path}, {.seconds_max = 60}) : Ask(path, {"-n", "1"});
    SCOPED_TRACE(round);
    EXPECT_FALSE(r.timed_out);
    EXPECT_LT(r.seconds, kSanitized ? 60 : 15);
    if (r.exit_code != 0) ExpectRefusal(r);
  }
}

}  // namespace
}  // namespace flashmoe::e2e
