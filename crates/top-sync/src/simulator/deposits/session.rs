//! SFTP for one channel of a user: what version 3 of its draft asks for and deposits need.
//!
//! There are no links, no folders to make, nothing to change but the files that come. Reading and writing go to files of this machine and take no
//! longer than its page cache does, so they are done where they are asked for.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use russh_sftp::protocol::File as Listed;
use russh_sftp::protocol::{Attrs, Data, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode, Version};
use russh_sftp::server::{Handler, StatusReply};

use super::Desk;
use super::config::{HANDLES, LISTED, READ_BYTES};
use super::room::{Folder, Place, Room, RoomError, Wish, names};

/// A channel.
pub(super) struct Session {
    desk: Arc<Desk>,
    room: Arc<Room>,
    open: BTreeMap<u32, Open>,
    next: u32,
}

/// What is open.
enum Open {
    File { file: File, writes: bool },
    Folder { left: Vec<(String, FileAttributes)> },
}

impl Session {
    pub(super) fn new(desk: Arc<Desk>, room: Arc<Room>) -> Self {
        Self { desk, room, open: BTreeMap::new(), next: 0 }
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, Refusal> {
        if self.open.len() >= HANDLES {
            return Err(RoomError::Full.into());
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(number, open);
        Ok(Handle { id, handle: number.to_string() })
    }

    fn file(&self, handle: &str) -> Result<(&File, bool), Refusal> {
        match handle.parse().ok().and_then(|number: u32| self.open.get(&number)) {
            Some(Open::File { file, writes }) => Ok((file, *writes)),
            _ => Err(Refusal(StatusCode::Failure, "there is no such handle")),
        }
    }

    fn attributes(&self, path: &str) -> Result<FileAttributes, Refusal> {
        match Place::of(path).ok_or(RoomError::Missing)? {
            Place::Top | Place::Folder(_) => Ok(of_folder()),
            Place::File(folder, name) => Ok(of_file(&self.room.about(folder, &name)?)),
        }
    }

    fn uploaded(path: &str) -> Result<String, Refusal> {
        match Place::of(path) {
            Some(Place::File(Folder::Upload, name)) => Ok(name),
            Some(_) => Err(RoomError::Forbidden.into()),
            None => Err(RoomError::Missing.into()),
        }
    }
}

/// A refused request.
pub(super) struct Refusal(StatusCode, &'static str);

impl From<Refusal> for StatusReply {
    fn from(refusal: Refusal) -> Self {
        refusal.0.with_message(refusal.1)
    }
}

impl From<RoomError> for Refusal {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::Missing => Self(StatusCode::NoSuchFile, "there is no such file"),
            RoomError::Forbidden => Self(StatusCode::PermissionDenied, "that may not be done here"),
            RoomError::Exists => Self(StatusCode::Failure, "there is a file of that name already"),
            RoomError::Full => Self(StatusCode::Failure, "that is more than may be stored here"),
            RoomError::Disk(error) => {
                tracing::warn!(%error, "a file of a deposit could not be used");
                Self(StatusCode::Failure, "the disk")
            }
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        RoomError::Disk(error).into()
    }
}

impl Handler for Session {
    type Error = Refusal;

    fn unimplemented(&self) -> Refusal {
        Refusal(StatusCode::OpUnsupported, "that is not done here")
    }

    async fn init(&mut self, _: u32, _: std::collections::HashMap<String, String>) -> Result<Version, Refusal> {
        Ok(Version::new())
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, Refusal> {
        if self.open.len() >= HANDLES {
            return Err(RoomError::Full.into());
        }
        if !flags.intersects(OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::APPEND) {
            let Some(Place::File(folder, name)) = Place::of(&filename) else { return Err(RoomError::Missing.into()) };
            let file = self.room.read(folder, &name)?;
            return self.keep(id, Open::File { file, writes: false });
        }
        // Files grow at the place a request names, so this asks for nothing more.
        if flags.contains(OpenFlags::APPEND) || !flags.contains(OpenFlags::WRITE) {
            return Err(self.unimplemented());
        }
        let wish = Wish {
            create: flags.contains(OpenFlags::CREATE),
            truncate: flags.contains(OpenFlags::TRUNCATE),
            exclusive: flags.contains(OpenFlags::EXCLUDE),
        };
        let file = self.room.write(&Self::uploaded(&filename)?, wish)?;
        self.keep(id, Open::File { file, writes: true })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Refusal> {
        let closed = handle.parse().ok().and_then(|number: u32| self.open.remove(&number));
        closed.map(|_| done(id)).ok_or(Refusal(StatusCode::Failure, "there is no such handle"))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, Refusal> {
        let (file, _) = self.file(&handle)?;
        let mut data = vec![0; usize::try_from(len.min(READ_BYTES)).unwrap_or(0)];
        let read = file.read_at(&mut data, offset)?;
        if read == 0 {
            return Err(Refusal(StatusCode::Eof, "it ends here"));
        }
        data.truncate(read);
        Ok(Data { id, data })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Refusal> {
        let (file, writes) = self.file(&handle)?;
        if !writes {
            return Err(RoomError::Forbidden.into());
        }
        self.room.grow(file, offset, data.len())?;
        file.write_all_at(&data, offset)?;
        Ok(done(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Refusal> {
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Refusal> {
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Refusal> {
        let (file, _) = self.file(&handle)?;
        Ok(Attrs { id, attrs: of_file(&file.metadata()?) })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Refusal> {
        self.attributes(&path)?;
        unchanged(id, &attrs)
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, Refusal> {
        self.file(&handle)?;
        unchanged(id, &attrs)
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Refusal> {
        let left = match Place::of(&path).ok_or(RoomError::Missing)? {
            Place::Top => [Folder::Report, Folder::Upload].map(|each| (each.as_str().to_owned(), of_folder())).to_vec(),
            Place::Folder(folder) => {
                let names = names(&self.room.folder(folder));
                let about = names.into_iter().filter_map(|name| {
                    let found = self.room.about(folder, &name).ok()?;
                    Some((name, of_file(&found)))
                });
                about.collect()
            }
            Place::File(..) => return Err(RoomError::Missing.into()),
        };
        self.keep(id, Open::Folder { left })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Refusal> {
        let open = handle.parse().ok().and_then(|number: u32| self.open.get_mut(&number));
        let Some(Open::Folder { left }) = open else {
            return Err(Refusal(StatusCode::Failure, "there is no such handle"));
        };
        if left.is_empty() {
            return Err(Refusal(StatusCode::Eof, "it ends here"));
        }
        let told = left.drain(..left.len().min(LISTED)).map(|(name, attributes)| Listed::new(name, attributes));
        Ok(Name { id, files: told.collect() })
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, Refusal> {
        self.room.remove(&Self::uploaded(&filename)?)?;
        Ok(done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Refusal> {
        let place = Place::of(&path).ok_or(RoomError::Missing)?;
        Ok(Name { id, files: vec![Listed::dummy(place.told())] })
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, Refusal> {
        let (from, to) = (Self::uploaded(&from)?, Self::uploaded(&to)?);
        self.room.rename(&from, &to)?;
        if to.ends_with(".rep") {
            self.desk.complete.notify_one();
        }
        Ok(done(id))
    }
}

/// Rights and times are taken note of and not kept; sizes are what was written.
fn unchanged(id: u32, wanted: &FileAttributes) -> Result<Status, Refusal> {
    if wanted.size.is_some() { Err(RoomError::Forbidden.into()) } else { Ok(done(id)) }
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".to_owned(), language_tag: "en-US".to_owned() }
}

fn of_file(found: &Metadata) -> FileAttributes {
    let times = FileAttributes::from(found);
    FileAttributes {
        size: Some(found.len()),
        uid: Some(0),
        user: None,
        gid: Some(0),
        group: None,
        permissions: Some(FILE_MODE),
        atime: times.atime,
        mtime: times.mtime,
    }
}

fn of_folder() -> FileAttributes {
    FileAttributes {
        size: Some(0),
        uid: Some(0),
        user: None,
        gid: Some(0),
        group: None,
        permissions: Some(FOLDER_MODE),
        atime: Some(0),
        mtime: Some(0),
    }
}

/// A file its owner may read and write.
const FILE_MODE: u32 = 0o100_600;

/// A folder its owner may use.
const FOLDER_MODE: u32 = 0o040_700;
