// How the terminal hands over what is typed, and how large it is.
#pragma once

#include "terminal/live_area.h"

namespace flashmoe::terminal {

enum class InputMode {
  kOriginal,  // as it was when the program started
  kQuiet,     // what is typed is kept for later and not shown; Ctrl-C is a signal
  kRaw,       // every key at once; Ctrl-C and Ctrl-Z are keys
};

// Standard input and standard output are a terminal.
bool IsTerminal();

// Does nothing where standard input is no terminal. The mode that the first call finds is the
// original one.
void SetInputMode(InputMode mode);

// As SetInputMode(kOriginal); may be called by a signal handler.
void RestoreInputMode();

// Of the terminal at standard output; 80 x 24 where that is unknown.
ScreenSize CurrentScreenSize();

// A pipe's end that can be read once Wake() was called; a change of the screen's size calls it from
// the first WakeFd() on.
int WakeFd();
// May be called by a signal handler.
void Wake();
// Empties the pipe.
void TakeWakes();

}  // namespace flashmoe::terminal
