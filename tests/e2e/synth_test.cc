// flashmoe synth: random models of real shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

// Four real layers with few experts, about 100 MB.
std::vector<std::string> Small(const std::string& out, const std::string& seed = "1") {
  return {"synth", "--layers",       "4",      "--experts",    "8",    "--vocabulary",
          "2048",  "--experts-type", "iq4_nl", "--dense-type", "q4_0", "--seed",
          seed,    "--out",          out};
}

TEST(SynthTest, WritesAModelThatInfoKnowsAndRunRuns) {
  const Folder folder;
  const std::string model = folder.File("m.gguf");
  const ProcessResult written = RunFlashmoe(Small(model));
  ASSERT_EQ(written.exit_code, 0) << written.err;
  EXPECT_THAT(written.err, HasSubstr("GB/s"));
  EXPECT_EQ(folder.Names(), std::set<std::string>{"m.gguf"});

  const json info = ExpectJson(RunFlashmoe({"info", "-m", model, "--json"}));
  EXPECT_EQ(info["geometry"]["hidden"], 2048);
  EXPECT_EQ(info["geometry"]["layers"], 4);
  EXPECT_EQ(info["geometry"]["experts"], 8);
  EXPECT_EQ(info["bytes"]["expert"], 1'769'472);

  const std::vector<std::string> question = {"run", "-m", model, "-p", "Good evening.",
                                             "-n",  "4",  "-s",  "7",  "--json"};
  const json first = ExpectJson(RunFlashmoe(question));
  EXPECT_EQ(first["tokens"].size(), 4u);
  EXPECT_EQ(ExpectJson(RunFlashmoe(question))["tokens"], first["tokens"]);
}

TEST(SynthTest, TheSeedDecidesTheBytes) {
  const Folder folder;
  for (const char* name : {"a", "b", "c"}) {
    const ProcessResult r =
        RunFlashmoe(Small(folder.File(name), std::string(name) == "c" ? "2" : "1"));
    ASSERT_EQ(r.exit_code, 0) << r.err;
  }
  EXPECT_TRUE(ReadFile(folder.File("a")) == ReadFile(folder.File("b")));
  EXPECT_FALSE(ReadFile(folder.File("a")) == ReadFile(folder.File("c")));
}

TEST(SynthTest, AnInterruptLeavesNoFile) {
  const Folder folder;
  Process process(Flashmoe({"synth", "--layers", "8", "--out", folder.File("m.gguf")}));
  while (folder.Names().empty()) usleep(1000);
  process.Signal(SIGINT);
  EXPECT_EQ(process.Finish().exit_code, 130);
  EXPECT_THAT(folder.Names(), IsEmpty());
}

TEST(SynthTest, RefusesWhatItCannotMake) {
  const Folder folder;
  const std::string out = folder.File("m.gguf");
  const auto refusal = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"synth", "--out", out});
    return ExpectRefusal(RunFlashmoe(arguments));
  };
  EXPECT_THAT(refusal({"--geometry", "qwen9"}), HasSubstr("qwen3.5-397b-a17b"));
  EXPECT_THAT(refusal({"--experts-type", "q9_z"}), HasSubstr("no type 'q9_z'"));
  EXPECT_THAT(refusal({"--dense-type", "i8"}), HasSubstr("I8"));
  EXPECT_THAT(refusal({"--layers", "41"}), HasSubstr("40 layers"));
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"synth", "--out", folder.File("no/m.gguf")})),
              HasSubstr("cannot create"));
  EXPECT_THAT(folder.Names(), IsEmpty());
}

}  // namespace
}  // namespace flashmoe::e2e
