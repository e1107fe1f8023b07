//! Syntax of identifiers: parse, fold, order, print.
