//! Nothing but tests: each block of the pages in `docs/your-own-*.md` is run.
