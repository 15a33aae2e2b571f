//! Unix sockets: their file comes and goes with the server, and never takes another's place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use revokd::http::listener::{Address, BindError, Bound};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{Server, patient};

async fn bind(path: &Path) -> Result<Bound, BindError> {
    Bound::bind(&Address::Unix(path.to_owned())).await
}

async fn serve_on(path: &Path) -> Server {
    let tcp = Bound::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
    let address = tcp.tcp_address().unwrap();
    Server::start_on(vec![tcp, bind(path).await.unwrap()], address, patient())
}

#[tokio::test]
async fn a_server_serves_tcp_and_unix_at_once_and_removes_its_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("revokd.sock");
    let server = serve_on(&path).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut tcp = server.connect().await;
    tcp.get("/local").await;
    tcp.read_until("true").await;
    let mut unix = UnixStream::connect(&path).await.unwrap();
    unix.write_all(b"GET /local HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    unix.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("true"), "{answer}");
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_left_by_a_server_that_is_gone_is_replaced() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("revokd.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = serve_on(&path).await;
    UnixStream::connect(&path).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_socket_that_somebody_listens_on_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("revokd.sock");
    let server = serve_on(&path).await;
    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    UnixStream::connect(&path).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("precious");
    fs::write(&path, "data").unwrap();
    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn a_server_does_not_remove_the_file_of_its_successor() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("revokd.sock");
    let before = bind(&path).await.unwrap();
    fs::rename(&path, directory.path().join("moved")).unwrap();
    let after = bind(&path).await.unwrap();
    drop(before);
    assert!(path.exists());
    drop(after);
    assert!(!path.exists());
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named() {
    let taken = Bound::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
    let address = taken.tcp_address().unwrap().to_string();
    let error = Bound::bind(&Address::Tcp(address.clone())).await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
    let error = bind(Path::new("/nonexistent-directory/revokd.sock")).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent-directory/revokd.sock"), "{error}");
}
