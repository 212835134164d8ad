#include "terminal/edit_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/test_path.h"
#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

using testing::ElementsAre;
using Step = EditSession::Step;

const std::vector<std::string> kWords = {"/help", "/save", "/sessions", "/stats"};

class EditSessionTest : public testing::Test {
 protected:
  Step Type(std::string_view bytes) {
    Step step = Step::kGoOn;
    KeyDecoder decoder;
    for (const Key& key : decoder.Push(bytes)) step = session_.Press(key);
    for (const Key& key : decoder.Flush()) step = session_.Press(key);
    return step;
  }
  // The rows with "_" where the cursor is.
  std::vector<std::string> Look(int columns, int rows = 24) {
    const EditView view = session_.Look("> ", {columns, rows});
    std::vector<std::string> lines;
    for (const Row& row : view.rows) {
      std::string line;
      for (const Span& span : row.spans) line += span.text;
      lines.push_back(line);
      EXPECT_LT(row.columns, columns);
    }
    std::string& line = lines.at(view.cursor_row);
    size_t at = 0;
    for (int column = 0; column < view.cursor_column;) {
      const Glyph glyph = NextGlyph(std::string_view(line).substr(at));
      at += glyph.bytes;
      column += glyph.columns;
    }
    line.insert(at, "_");
    return lines;
  }

  History history_;
  EditSession session_{history_, kWords};
};

TEST_F(EditSessionTest, EditsWithinALine) {
  Type(
      "hello wörld\x1b[D\x1b[D\x7f\x7f"
      "é");
  EXPECT_EQ(session_.text(), "hello wéld");
  Type(
      "\x01"
      "X\x05"
      "Y\x1b"
      "b\x1b"
      "b\x17");
  EXPECT_EQ(session_.text(), "Xhello wéldY");
  Type("\x0b");
  EXPECT_EQ(session_.text(), "");
  Type("\x19");
  EXPECT_EQ(session_.text(), "Xhello wéldY");
  EXPECT_EQ(Type("\r"), Step::kEnter);
}

TEST_F(EditSessionTest, TheCursorKeepsOutOfClusters) {
  Type("a👩‍👩‍👧e\xcc\x81");
  Type("\x1b[D\x7f");
  EXPECT_EQ(session_.text(), "ae\xcc\x81");
  Type("\x1b[C\x7f");
  EXPECT_EQ(session_.text(), "a");
}

TEST_F(EditSessionTest, SeveralLines) {
  Type("one\x1b\rtwo long\\\rthree");
  EXPECT_EQ(session_.text(), "one\ntwo long\nthree");
  EXPECT_THAT(Look(40), ElementsAre("> one", "  two long", "  three_"));
  Type("\x1b[A");
  EXPECT_THAT(Look(40), ElementsAre("> one", "  two l_ong", "  three"));
  Type("\x1b[A");
  EXPECT_THAT(Look(40), ElementsAre("> one_", "  two long", "  three"));
  Type("\x1b[B\x1b[B\x01");
  EXPECT_THAT(Look(40), ElementsAre("> one", "  two long", "  _three"));
  EXPECT_THAT(Look(40, 3), ElementsAre("  two long", "  _three"));
}

TEST_F(EditSessionTest, WrapsAtTheWidth) {
  Type("abcdefgh中文");
  EXPECT_THAT(Look(9), ElementsAre("> abcdef", "  gh中文_"));
  EXPECT_THAT(Look(8), ElementsAre("> abcde", "  fgh中", "  文_"));
}

TEST_F(EditSessionTest, ControlKeysEnd) {
  EXPECT_EQ(Type("ab\x04"), Step::kGoOn);
  EXPECT_EQ(session_.text(), "ab");
  EXPECT_EQ(Type("\x03"), Step::kInterrupt);
  EXPECT_EQ(Type("\x15\x04"), Step::kEnd);
}

TEST_F(EditSessionTest, CompletesWords) {
  Type("/h\t");
  EXPECT_EQ(session_.text(), "/help ");
  Type("\x15/s\t");
  EXPECT_EQ(session_.text(), "/s");
  Type("\x15no\t");
  EXPECT_EQ(session_.text(), "no");
}

TEST(HistoryTest, IsGoneThroughAndComesBackToTheDraft) {
  History history;
  ASSERT_TRUE(history.Add("first").has_value());
  ASSERT_TRUE(history.Add("second\nline").has_value());
  ASSERT_TRUE(history.Add("second\nline").has_value());
  ASSERT_TRUE(history.Add("  ").has_value());
  EditSession session(history, kWords);
  session.Press({Key::Kind::kText, "draft"});
  session.Press({Key::Kind::kUp});
  EXPECT_EQ(session.text(), "second\nline");
  session.Press({Key::Kind::kUp});
  session.Press({Key::Kind::kUp});
  EXPECT_EQ(session.text(), "first");
  session.Press({Key::Kind::kUp});
  EXPECT_EQ(session.text(), "first");
  session.Press({Key::Kind::kDown});
  session.Press({Key::Kind::kDown});
  EXPECT_EQ(session.text(), "draft");
}

TEST(HistoryTest, IsKeptInAFile) {
  const std::string path = TestPath("history");
  std::filesystem::remove(path);
  {
    History history(path);
    ASSERT_TRUE(history.Add("one\nwith \\n and \\").has_value());
    ASSERT_TRUE(history.Add("two").has_value());
  }
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(History(path).entries(), ElementsAre("one\nwith \\n and \\", "two"));
  std::ofstream(path, std::ios::app) << "bad\x1b[2J\xff\\\n";
  EXPECT_THAT(History(path).entries().back(), "bad␛[2J\xEF\xBF\xBD\\");
  History history(path);
  for (int i = 0; i < 2100; ++i) ASSERT_TRUE(history.Add("entry " + std::to_string(i)).has_value());
  EXPECT_EQ(history.entries().size(), History::kEntriesMax);
  EXPECT_EQ(History(path).entries(), history.entries());
  EXPECT_LT(std::filesystem::file_size(path), 40'000u);
  std::filesystem::remove(path);
  EXPECT_FALSE(History("no/such/folder/file").Add("x").has_value());
}

}  // namespace
}  // namespace flashmoe::terminal
