//! Sockets that let nobody in any more.

use std::io;
use std::net::TcpListener;

/// Lets the operating system ignore whoever wants to connect from now on, while those who have
/// connected, or are about to, can still be accepted. A socket that is closed instead takes the
/// connections with it that nobody has accepted, and there are always some under load: a client
/// has sent its request by then, and loses it. Who is ignored tries again, and is refused when the
/// socket is closed.
///
/// # Errors
/// Where the operating system has nothing of that kind.
#[cfg(target_os = "linux")]
pub fn ignore_newcomers(listener: &TcpListener) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    let op = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    // The flags of a segment are its 14th byte. One that has SYN and not ACK is a newcomer's.
    let mut program = [
        op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 13),
        op(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, 0x12),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 0x02),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the descriptor is open as long as the listener is borrowed; `filter` is what the
    // option takes, of the size that is said, and with the program that it points to lives until
    // the call returns. The system copies both.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Not here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn ignore_newcomers(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_has_connected_is_let_in_and_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut early = TcpStream::connect(address).expect("it listens");
        early.write_all(b"a").expect("it is sent");
        ignore_newcomers(&listener).expect("the system can do that");
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(50));
        assert!(late.is_err());
        let (mut accepted, _) = listener.accept().expect("the early one");
        let mut read = [0];
        io::Read::read_exact(&mut accepted, &mut read).expect("what it sent");
        assert_eq!(&read, b"a");
        listener.set_nonblocking(true).expect("it is open");
        assert!(listener.accept().is_err(), "there is no other");
    }
}
