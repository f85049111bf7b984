//! Guest RAM and registers to typed kernel state. Pure over a memory trait.
#![forbid(unsafe_code)]
