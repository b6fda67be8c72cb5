//! The rules of this repository that a compiler does not know: who may depend on whom, how a
//! file must look, and that documents name what exists. Every rule names what breaks it.

mod dependencies;
mod documents;
mod files;
mod tidy;
