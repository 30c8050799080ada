//! A name server that knows a few names.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

pub(crate) const MX: u8 = 15;
pub(crate) const TXT: u8 = 16;
pub(crate) const SRV: u8 = 33;

/// Answers what it was told; to all else: "no such name".
pub(crate) async fn serve(
    known: impl IntoIterator<Item = (&'static str, u8, Vec<Vec<u8>>)>,
) -> SocketAddr {
    let known: Vec<_> = known.into_iter().collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let end = query[12..length].iter().position(|byte| *byte == 0).unwrap() + 13;
            let (name, kind) = (name(&query[12..end]), query[end + 1]);
            let records = known
                .iter()
                .find(|(known, of, _)| *known == name && *of == kind)
                .map(|(.., records)| records.clone())
                .unwrap_or_default();
            let mut answer = query[..2].to_vec();
            answer.extend(if records.is_empty() { [0x81, 0x83] } else { [0x81, 0x80] });
            answer.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
            answer.extend(&query[12..end + 4]);
            for data in records {
                answer.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 0, 60]);
                answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                answer.extend(data);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

/// The data of a SRV record; an empty host is the root.
pub(crate) fn srv(priority: u16, port: u16, host: &str) -> Vec<u8> {
    let mut data = priority.to_be_bytes().to_vec();
    data.extend([0, 0]);
    data.extend(port.to_be_bytes());
    data.extend(labels(host));
    data
}

/// The data of an MX record.
pub(crate) fn mx(preference: u16, host: &str) -> Vec<u8> {
    let mut data = preference.to_be_bytes().to_vec();
    data.extend(labels(host));
    data
}

/// The data of a TXT record.
pub(crate) fn txt(text: &str) -> Vec<u8> {
    let mut data = vec![u8::try_from(text.len()).unwrap()];
    data.extend(text.bytes());
    data
}

fn labels(host: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        data.push(u8::try_from(label.len()).unwrap());
        data.extend(label.bytes());
    }
    data.push(0);
    data
}

fn name(labels: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut rest = labels;
    while let Some((length, more)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, more) = more.split_at(usize::from(*length));
        parts.push(String::from_utf8_lossy(label).to_lowercase());
        rest = more;
    }
    parts.join(".")
}
