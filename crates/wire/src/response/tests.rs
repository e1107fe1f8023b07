//! Tests of responses: heads, each body there and back, each truncation refused.
