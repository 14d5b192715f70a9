fn main() -> std::process::ExitCode {
    ptp_ctl::cli::main()
}
