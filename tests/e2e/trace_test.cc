// flashmoe trace: recording, describing and simulating.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kTrace = FLASHMOE_TEST_DATA "/routing/ember-wide-text.bin";

TEST(TraceTest, RecordsWhatShowAndSimulateRead) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 20; ++i) text += "The cat sat on the mat. It was a sunny day. ";
  const std::string out = folder.File("t.bin");
  const auto record = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"trace", "record", "-f", "-", "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunFlashmoe(arguments, {.input = text});
  };
  ASSERT_EQ(record({}).exit_code, 0);
  const json whole = ExpectJson(RunFlashmoe({"trace", "show", out, "--json"}));
  EXPECT_EQ(whole["sequences"], 1);
  const int tokens = whole["tokens"];
  EXPECT_GT(tokens, 100);
  EXPECT_EQ(whole["layers_routing"].size(), whole["layers"]);
  for (const json& layer : whole["layers_routing"]) {
    EXPECT_GT(layer["repeats_share"], 0);
    // Windows that are not full are left out, so the two do not see quite the same tokens.
    EXPECT_LE(layer["working_set"]["16"].get<double>(),
              1.2 * layer["working_set"]["64"].get<double>());
  }
  const json simulated = ExpectJson(
      RunFlashmoe({"trace", "simulate", out, "--slots", "50%", "--policies", "lru", "--json"}));
  EXPECT_EQ(simulated["simulations"][0]["decode"]["tokens"], tokens);

  // In pieces, and with little memory, which changes nothing but the sizes.
  const std::string first = ReadFile(out);
  ASSERT_EQ(record({"--memory", Budget(36), "-c", "512"}).exit_code, 0);
  EXPECT_EQ(ReadFile(out), first);
  ASSERT_EQ(record({"--sequence-tokens", "50"}).exit_code, 0);
  const json pieces = ExpectJson(RunFlashmoe({"trace", "show", out, "--json"}));
  EXPECT_EQ(pieces["sequences"], tokens / 50);
  EXPECT_EQ(pieces["tokens"], 50);
}

TEST(TraceTest, SimulatesEveryPolicy) {
  const Folder folder;
  const std::string svg = folder.File("p.svg"), html = folder.File("p.html");
  const ProcessResult r = RunFlashmoe({"trace", "simulate", kTrace, "--json", "--svg", svg,
                                       "--html", html, "--expert-size", "100kB"});
  const json rows = ExpectJson(r)["simulations"];
  EXPECT_EQ(rows.size(), 6u * 5);
  for (const json& row : rows) {
    const json& decode = row["decode"];
    EXPECT_EQ(decode["tokens"], 1024);
    EXPECT_EQ(decode["bytes_read"],
              (decode["requests"].get<int64_t>() - decode["hits"].get<int64_t>()) * 100'000);
  }
  for (const std::string& path : {svg, html}) {
    const std::string page = ReadFile(path);
    EXPECT_THAT(page, HasSubstr("<svg "));
    EXPECT_THAT(page, HasSubstr(">belady</text>"));
    EXPECT_EQ(page.find("src="), std::string::npos) << "nothing from elsewhere";
  }
  const std::string table =
      RunFlashmoe({"trace", "simulate", kTrace, "--slots", "400,50%", "--prompt-tokens", "512"})
          .out;
  EXPECT_THAT(table, HasSubstr("400 slots ( 26.0 %)   prompt: "));
  EXPECT_EQ(std::ranges::count(table, '\n'), 1 + 2 * 6);
  const std::string csv =
      RunFlashmoe({"trace", "simulate", kTrace, "--csv", "--policies", "lru,belady"}).out;
  EXPECT_EQ(std::ranges::count(csv, '\n'), 1 + 2 * 5);
  EXPECT_THAT(RunFlashmoe({"trace", "show", kTrace}).out, HasSubstr("busiest 20 %"));
}

TEST(TraceTest, RefusesWhatMakesNoSense) {
  const Folder folder;
  const std::string no_trace = folder.Write("t", "MOETRACX and some more bytes to read");
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"trace", "show", no_trace})), HasSubstr("MOETRACE"));
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"trace", "simulate", kTrace, "--slots", "2%"})),
              HasSubstr("a token uses 48 experts"));
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"trace", "simulate", kTrace, "--slots", "many"})),
              HasSubstr("'many'"));
  for (const auto& arguments : std::initializer_list<std::vector<std::string>>{
           {"trace"},
           {"trace", "simulate", kTrace, "--policies", "best"},
           {"trace", "record", "--out", "t"},
           {"run", "-p", "a", "--cache-policy", "best"}}) {
    EXPECT_EQ(RunFlashmoe(arguments).exit_code, 2) << arguments.back();
  }
}

}  // namespace
}  // namespace flashmoe::e2e
