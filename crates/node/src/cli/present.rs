//! A resolved value as a person reads it: text where it is text, the meaning where the type is known, bytes otherwise.

use waymark_wire::{
    Permissions, Reference, Ttl, ValueRef,
    types::{self, AdminRecord, InterfaceProtocol, Site, ValueList},
};

/// Most characters of bytes shown as hexadecimal; the JSON form shows all.
const MOST_HEX: usize = 64;

/// The data of a value in one line, safe for a terminal.
pub(crate) fn data(value: &ValueRef<'_>) -> String {
    known(value).or_else(|| text(value.data)).unwrap_or_else(|| bytes(value.data))
}

/// Text without control characters that could drive a terminal; `None` when it is no UTF-8.
fn text(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok()?;
    Some(safe(text))
}

/// Text with control characters escaped.
pub(crate) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

fn bytes(data: &[u8]) -> String {
    let shown = data.get(..MOST_HEX / 2).unwrap_or(data);
    let more = if shown.len() < data.len() { format!("… ({} bytes)", data.len()) } else { String::new() };
    format!("0x{}{more}", hex::encode(shown))
}

fn known(value: &ValueRef<'_>) -> Option<String> {
    let is = |kind: &[u8]| value.kind.eq_ignore_ascii_case(kind);
    if value.is_admin() {
        let admin = AdminRecord::parse(value.data).ok()?;
        let rights: Vec<_> = admin.permissions.names().collect();
        let handle = safe(&String::from_utf8_lossy(admin.handle));
        return Some(format!("{}:{handle} ({})", admin.index, rights.join(", ")));
    }
    if is(types::HS_VLIST) {
        let list = ValueList::parse(value.data).ok()?;
        let members: Vec<_> = list.references.iter().map(|member| reference(&member)).collect();
        return Some(members.join(" "));
    }
    if types::is_site_type(value.kind) {
        return site(value.data);
    }
    None
}

fn reference(member: &Reference<'_>) -> String {
    format!("{}:{}", member.index, safe(&String::from_utf8_lossy(member.handle)))
}

fn site(data: &[u8]) -> Option<String> {
    let site = Site::parse(data).ok()?;
    let mut words = vec![format!("serial {}", site.serial)];
    for server in site.servers.iter() {
        let address = server.address.ip();
        for interface in server.interfaces.iter() {
            let protocol = match interface.protocol {
                InterfaceProtocol::UDP => "udp",
                InterfaceProtocol::TCP => "tcp",
                InterfaceProtocol::HTTP => "http",
                InterfaceProtocol::HTTPS => "https",
                _ => "other",
            };
            let address = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            words.push(format!("{protocol}://{address}:{}", interface.port));
        }
    }
    for attribute in site.attributes.iter() {
        let text = |bytes: &[u8]| safe(&String::from_utf8_lossy(bytes));
        words.push(format!("{}={:?}", text(attribute.name), text(attribute.value)));
    }
    Some(words.join(" "))
}

/// `86400` or `until 1790000000`.
pub(crate) fn ttl(ttl: Ttl) -> String {
    match ttl {
        Ttl::Relative(seconds) => seconds.to_string(),
        Ttl::Absolute(time) => format!("@{time}"),
        Ttl::Other { kind, value } => format!("{kind}:{value}"),
    }
}

/// Four characters: admin read, admin write, public read, public write.
pub(crate) fn permissions(permissions: Permissions) -> String {
    [Permissions::ADMIN_READ, Permissions::ADMIN_WRITE, Permissions::PUBLIC_READ, Permissions::PUBLIC_WRITE]
        .into_iter()
        .zip("rwrw".chars())
        .map(|(bit, letter)| if permissions.has(bit) { letter } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(safe("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(safe("履带式"), "履带式");
    }

    #[test]
    fn bytes_are_cut_with_their_length() {
        assert_eq!(bytes(&[1, 2]), "0x0102");
        assert!(bytes(&[0; 100]).ends_with("… (100 bytes)"));
    }

    #[test]
    fn permissions_read_like_a_file_mode() {
        assert_eq!(permissions(Permissions(0x0e)), "rwr-");
        assert_eq!(permissions(Permissions(0x0c)), "rw--");
    }
}
