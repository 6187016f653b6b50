//! Solutions to the exercises of the book, a module for each chapter.

mod configuration;
