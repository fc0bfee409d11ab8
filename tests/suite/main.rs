//! Every test of Perennial that is not beside what it tests: one binary, one file a subject.
