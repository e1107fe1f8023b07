//! The data plane: answer_batch and its doors.
