//! The passt argument list for a guest interface
