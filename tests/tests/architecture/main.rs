//! Rules of this repository that the compiler does not check: allowed dependencies, the form of
//! files, and that documents name what exists.

mod dependencies;
mod documents;
mod emitters;
mod files;
mod tidy;
