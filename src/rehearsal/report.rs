//! Results of tests as people and programs read them.
