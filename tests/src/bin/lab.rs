//! What runs first, and alone, in the machine that `cargo xtask lab` starts.

fn main() {
    ptp_tests::lab::run();
}
