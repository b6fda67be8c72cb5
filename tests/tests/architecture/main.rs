//! The rules of this repository that a compiler does not know: who may depend on whom, and how a
//! file must look. Every rule names what breaks it.

mod dependencies;
mod files;
mod tidy;
