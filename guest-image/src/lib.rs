//! What runs inside a guest, and what builds it.
#![forbid(unsafe_code)]
