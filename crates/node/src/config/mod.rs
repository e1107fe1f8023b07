//! Configuration: a file's text, checked against the one table of options, becomes values that cannot be wrong.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use waymark_catalog::audit::Algorithm;
use waymark_catalog::business::{CodeTable, CodeTables};
use waymark_catalog::config::{RangeLimits, RecordLimits, Ruling, WriterLimits};
use waymark_catalog::verdict::{Rules, VerdictOptions, Zone};
use waymark_ident::CaseRule;
use waymark_registration::query::privacy::OpenItem;
use waymark_resolver::policy::Network;
use waymark_store::Engine;
use waymark_top_sync::epp::driver::transport::Address;

use crate::{
    certificate,
    problem::{Exit, Problem},
    texts::Language,
};

pub mod load;
pub mod options;
pub mod render;
pub mod schema;

pub use load::Values;
pub use options::OPTIONS;

/// The keys of personal data, within the data folder.
const PERSONAL_KEYS: &str = "personal.keys";

/// Data folder unless configured.
pub const DEFAULT_DATA: &str = "waymark-data";

/// Bytes of a MiB.
const MEBI: u64 = 1 << 20;

/// The configuration of a node, every value checked.
#[derive(Clone, Debug)]
pub struct Config {
    values: Values,
}

impl Config {
    /// All defaults.
    pub fn defaults() -> Self {
        Self { values: Values::defaults(OPTIONS) }
    }

    /// Reads a file, or takes the defaults without one.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let Some(path) = path else { return Ok(Self::defaults()) };
        let text = std::fs::read_to_string(path).map_err(|cause| {
            vec![Problem::new("config-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)]
        })?;
        Self::read(&text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let (values, mut problems) = load::read(OPTIONS, text);
        let config = Self { values };
        problems.extend(config.contradictions());
        problems.extend(config.unusable_files());
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The checked values by key.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Replaces a value by one of the command line or of a caller that knows the key's kind.
    pub fn set(&mut self, key: &'static str, value: schema::Value) {
        self.values.set(key, value);
    }

    /// Settings that are each allowed and make no sense together.
    fn contradictions(&self) -> Vec<Problem> {
        let values = &self.values;
        let mut problems = Vec::new();
        let mut refuse = |first: &str, second: &str, cause: &str| {
            problems.push(
                Problem::new("config-combination", Exit::Usage)
                    .with("first", first)
                    .with("second", second)
                    .with("cause", cause),
            );
        };
        if values.text("quic.certificate").is_empty() != values.text("quic.private_key").is_empty() {
            refuse("quic.certificate", "quic.private_key", "set both or none");
        }
        if values.text("registration.certificate").is_empty() != values.text("registration.private_key").is_empty() {
            refuse("registration.certificate", "registration.private_key", "set both or none");
        }
        if ["listen.udp", "listen.tcp", "listen.quic"].iter().all(|key| values.list(key).is_empty()) {
            refuse("listen.udp", "listen.tcp, listen.quic", "every door is closed");
        }
        if values.number("stream.connections_per_source") > values.number("stream.connections") {
            refuse("stream.connections_per_source", "stream.connections", "one source may have more than all together");
        }
        if values.number("udp.reassembly_source_bytes") > values.number("udp.reassembly_total_bytes") {
            refuse(
                "udp.reassembly_source_bytes",
                "udp.reassembly_total_bytes",
                "one source may have more than all together",
            );
        }
        if values.number("udp.reassembly_message_bytes") > values.number("udp.reassembly_source_bytes") {
            refuse(
                "udp.reassembly_message_bytes",
                "udp.reassembly_source_bytes",
                "no message of that size would ever fit",
            );
        }
        let recurses = !values.list("recursion.sources").is_empty();
        let roots = ["recursion.roots", "recursion.root_site"];
        let has_roots = !values.list("recursion.roots").is_empty() || !values.text("recursion.root_site").is_empty();
        if recurses && !has_roots {
            refuse("recursion.sources", "recursion.roots, recursion.root_site", "nobody is named to ask");
        }
        if !values.list("recursion.roots").is_empty() && !values.text("recursion.root_site").is_empty() {
            refuse(roots[0], roots[1], "set one of them");
        }
        let is_everybody = |network: &String| network.ends_with("/0");
        if values.list("recursion.sources").iter().any(is_everybody) && !values.flag("recursion.open") {
            refuse(
                "recursion.sources",
                "recursion.open",
                "everybody is named as a source; an open resolver must be asked for",
            );
        }
        let (grpc, folder) = (values.text("sync.server"), values.text("sync.directory"));
        if values.text("sync.prefix").is_empty() {
            if !grpc.is_empty() || !folder.is_empty() {
                refuse("sync.prefix", "sync.server, sync.directory", "the prefix of the node is not named");
            }
        } else if grpc.is_empty() == folder.is_empty() {
            refuse("sync.server", "sync.directory", "set one of them");
        }
        if !values.text("collection.directory").is_empty()
            && (values.text("sync.prefix").is_empty() || values.text("sync.role") == "enterprise")
        {
            refuse("collection.directory", "sync.prefix, sync.role", "only a node that is docked collects");
        }
        if values.text("sync.certificate").is_empty() != values.text("sync.private_key").is_empty() {
            refuse("sync.certificate", "sync.private_key", "set both or none");
        }
        self.check_docking(&mut refuse);
        self.check_query(&mut refuse);
        self.check_deposits(&mut refuse);
        if values.number("cache.floor_seconds") > values.number("cache.ceiling_seconds") {
            refuse("cache.floor_seconds", "cache.ceiling_seconds", "the shortest time is longer than the longest");
        }
        if values.list("cache.never_stale_types").len() > waymark_recursive_cache::cache::MAX_NEVER_STALE_TYPES {
            refuse("cache.never_stale_types", "cache.never_stale_types", "more than 24 types");
        }
        if values.number("names.max_value_bytes") > values.number("names.max_record_bytes") {
            refuse("names.max_value_bytes", "names.max_record_bytes", "no value of that size would ever fit");
        }
        for (one, other) in [
            ("listen.udp", "listen.quic"),
            ("listen.tcp", "listen.http"),
            ("listen.tcp", "listen.grpc"),
            ("listen.http", "listen.grpc"),
            ("listen.tcp", "listen.api"),
            ("listen.http", "listen.api"),
            ("listen.grpc", "listen.api"),
            ("listen.tcp", "listen.query"),
            ("listen.http", "listen.query"),
            ("listen.grpc", "listen.query"),
            ("listen.api", "listen.query"),
        ] {
            let others = values.list(other);
            for address in values.list(one).iter().filter(|address| others.contains(address)) {
                if !address.ends_with(":0") {
                    refuse(one, other, address);
                }
            }
        }
        problems
    }

    /// What a connection to the top-level node needs, and what would let others read along.
    fn check_docking(&self, refuse: &mut impl FnMut(&str, &str, &str)) {
        const ADDRESS: &str = "docking.address";
        let is_set = |key: &str| !self.values.text(key).is_empty();
        if !is_set(ADDRESS) {
            return;
        }
        for key in ["docking.prefix", "docking.application", "docking.key_file"] {
            if !is_set(key) {
                refuse(ADDRESS, key, "a connection to the top-level node needs it");
            }
        }
        let Ok(address) = self.values.text(ADDRESS).parse::<Address>() else {
            return refuse(ADDRESS, ADDRESS, "it is no address such as https://node.example/epp");
        };
        let has_trust = [is_set("docking.authorities"), is_set("docking.pin")];
        if address.is_encrypted && has_trust[0] == has_trust[1] {
            refuse("docking.authorities", "docking.pin", "https needs one of them");
        }
        if !address.is_encrypted && !address.is_local() && !self.values.flag("docking.plaintext") {
            refuse(ADDRESS, "docking.plaintext", "http to another machine must be asked for");
        }
    }

    /// What the service for registration data must not do: be read along by others, and show what it never shows.
    fn check_query(&self, refuse: &mut impl FnMut(&str, &str, &str)) {
        let in_clear = self.values.flag("registration.plaintext");
        if in_clear && self.addresses("listen.query").iter().any(|address| !address.ip().is_loopback()) {
            refuse("listen.query", "registration.plaintext", "without TLS it answers on loopback only");
        }
        if let Some(item) = self.values.list("query.public").iter().find(|item| OpenItem::from_name(item).is_none()) {
            refuse("query.public", item, "only address, idNumber and introduction can be public");
        }
    }

    /// What everybody is shown of an organisation.
    pub fn query_items(&self) -> Vec<OpenItem> {
        // Names that are none were refused when the file was read.
        self.values.list("query.public").iter().filter_map(|item| OpenItem::from_name(item)).collect()
    }

    /// What a node needs that brings its deposits itself.
    fn check_deposits(&self, refuse: &mut impl FnMut(&str, &str, &str)) {
        const SERVER: &str = "deposit.sftp_server";
        if self.values.text(SERVER).is_empty() {
            return;
        }
        for key in ["deposit.platform_key", "deposit.node_key", "deposit.sftp_key"] {
            if self.values.text(key).is_empty() {
                refuse(SERVER, key, "a node that brings its deposits itself needs it");
            }
        }
        if self.values.list("deposit.accounts").is_empty() {
            refuse(SERVER, "deposit.accounts", "no prefix is named");
        }
    }

    /// Files the configuration names that cannot be read.
    fn unusable_files(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for key in [
            "site.file",
            "site.key_file",
            "recursion.root_site",
            "quic.certificate",
            "quic.private_key",
            "registration.certificate",
            "registration.private_key",
            "registration.client_authorities",
            "sync.authorities",
            "sync.token_file",
            "sync.certificate",
            "sync.private_key",
            "docking.key_file",
            "docking.authorities",
            "query.bootstrap",
            "deposit.sftp_key",
        ] {
            let Some(path) = self.path(key) else { continue };
            if let Err(cause) = std::fs::File::open(&path) {
                problems.push(
                    Problem::new("config-file-missing", Exit::Usage)
                        .with("key", key)
                        .with("path", path.display())
                        .with("cause", cause),
                );
            }
        }
        problems
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.values.text("node.data"))
    }

    /// The language asked for; `None` follows the environment.
    pub fn language(&self) -> Option<Language> {
        Language::from_tag(self.values.text("node.language"))
    }

    /// Addresses of one door.
    pub fn addresses(&self, key: &str) -> Vec<SocketAddr> {
        // The items were checked when the file was read.
        self.values.list(key).iter().filter_map(|item| item.parse().ok()).collect()
    }

    /// IP addresses of a list.
    pub fn ip_addresses(&self, key: &str) -> Vec<IpAddr> {
        self.values.list(key).iter().filter_map(|item| item.parse().ok()).collect()
    }

    /// Networks of a list.
    pub fn networks(&self, key: &str) -> Vec<Network> {
        self.values.list(key).iter().filter_map(|item| item.parse().ok()).collect()
    }

    /// A path; `None` when it is empty.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.values.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    /// A number as a length.
    pub fn count(&self, key: &str) -> usize {
        usize::try_from(self.values.number(key)).unwrap_or(usize::MAX)
    }

    /// Where the QUIC certificate comes from.
    pub fn certificate(&self, data: &Path) -> certificate::Source {
        match (self.path("quic.certificate"), self.path("quic.private_key")) {
            (Some(chain), Some(key)) => certificate::Source::Files { chain, key },
            _ => certificate::Source::Development { data: data.to_owned() },
        }
    }

    /// How to open the catalog of a data folder.
    pub fn catalog(&self, data: &Path) -> waymark_catalog::Options {
        let mebibytes = |key: &str| self.values.number(key).saturating_mul(MEBI);
        let mut store = waymark_store::Options::new(data);
        store.engine = Engine::from_name(self.values.text("store.engine")).unwrap_or_default();
        store.now = waymark_catalog::machine_time();
        store.segment_bytes = mebibytes("store.segment_mib");
        store.open_segments = self.values.number("store.open_segments");
        store.state_cache_bytes = mebibytes("store.state_cache_mib");
        store.record_cache_bytes = mebibytes("store.record_cache_mib");
        let mut options = waymark_catalog::Options::new(store);
        options.case =
            if self.values.flag("names.case_sensitive") { CaseRule::SuffixSensitive } else { CaseRule::Insensitive };
        options.resident_budget_bytes = mebibytes("store.resident_mib");
        options.expected_entries = self.values.number("store.expected_identifiers");
        // The choices of these options are exactly the names of rulings.
        let ruling = |key: &str| Ruling::from_name(self.values.text(key)).unwrap_or(Ruling::Refuse);
        options.limits = RecordLimits {
            handle_bytes: self.count("names.max_handle_bytes"),
            long_handles: ruling("names.long_handles"),
            slash_in_suffix: ruling("names.slash_in_suffix"),
            whitespace: ruling("names.whitespace"),
            non_ascii: ruling("names.non_ascii"),
            value_bytes: self.count("names.max_value_bytes"),
            large_values: ruling("names.large_values"),
            values: self.count("names.max_values"),
            many_values: ruling("names.many_values"),
            record_bytes: self.count("names.max_record_bytes"),
        };
        options.writer = WriterLimits {
            queue_submissions: self.count("write.queue_submissions"),
            queue_bytes: usize::try_from(mebibytes("write.queue_mib")).unwrap_or(usize::MAX),
            group_commands: self.count("write.group_commands"),
            group_bytes: usize::try_from(mebibytes("write.group_mib")).unwrap_or(usize::MAX),
        };
        options.access.principals = self.count("access.principals");
        options.access.principals_per_administrator = self.count("access.principals_per_administrator");
        options.access.tokens = self.count("access.tokens_per_principal");
        options.access.token_days = self.values.number("access.token_days");
        options.ranges = RangeLimits {
            codes: self.values.number("ranges.codes"),
            per_prefix: self.count("ranges.per_prefix"),
            pieces: self.count("ranges.pieces"),
            values_bytes: self.count("ranges.inherited_bytes"),
        };
        options.requests.keep = Duration::from_secs(self.values.number("requests.keep_hours").saturating_mul(3_600));
        options.requests.per_principal = self.count("requests.per_principal");
        options.requests.total = self.count("requests.total");
        options.audit.algorithm = Algorithm::from_name(self.values.text("audit.algorithm")).unwrap_or_default();
        options.audit.refusal_interval = Duration::from_secs(self.values.number("audit.refusal_seconds"));
        options.audit.keep = Duration::from_secs(self.values.number("audit.keep_days").saturating_mul(86_400));
        options.audit.refusal_lines = self.values.number("audit.refusal_lines");
        options.business.enterprises = self.count("enterprise.enterprises");
        // Once there is a top-level node that says it itself, nobody says for it what it decided.
        options.business.operator_confirms = self.values.text("docking.address").is_empty();
        options.business.prefixes_per_enterprise = self.count("enterprise.prefixes");
        let minutes_east = i16::try_from(self.values.number("verdict.minutes_east")).unwrap_or(i16::MAX);
        let gs1_prefix = self.values.text("verdict.gs1_prefix").trim().to_ascii_uppercase();
        options.verdicts = VerdictOptions {
            rules: Rules {
                warn_days: u16::try_from(self.values.number("verdict.warn_days")).unwrap_or(u16::MAX),
                expiry_required: self.values.flag("verdict.expiry_required"),
            },
            // The range of the option is that of zones.
            zone: Zone::new(minutes_east).unwrap_or_default(),
            gs1_prefix: (!gs1_prefix.is_empty()).then(|| gs1_prefix.into_bytes().into()),
        };
        options.personal_keys = Some(self.path("personal.key_file").unwrap_or_else(|| data.join(PERSONAL_KEYS)));
        options
    }

    /// The tables of codes enterprises are held to: those that come with the program, where no others are named.
    ///
    /// # Errors
    /// A file that cannot be read, or is no such table.
    pub fn codes(&self) -> Result<CodeTables, Problem> {
        let mut tables = CodeTables::shipped();
        for (key, table) in
            [("enterprise.industry_codes", &mut tables.industries), ("enterprise.region_codes", &mut tables.regions)]
        {
            let Some(path) = self.path(key) else { continue };
            let unusable = |cause: &dyn std::fmt::Display| {
                Problem::new("codes-unusable", Exit::Usage)
                    .with("key", key)
                    .with("path", path.display())
                    .with("cause", cause)
            };
            let text = std::fs::read_to_string(&path).map_err(|cause| unusable(&cause))?;
            *table = CodeTable::parse(&text).map_err(|cause| unusable(&cause))?;
        }
        Ok(tables)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        schema::{Kind, Value},
        *,
    };

    #[test]
    fn every_default_lies_in_its_own_range() {
        for option in OPTIONS {
            let text = format!("[{}]\n{} = {}\n", option.section(), option.name(), option.default_text());
            let read = load::read(OPTIONS, &text);
            assert!(read.1.is_empty(), "{}: {read:?}", option.key);
        }
    }

    #[test]
    fn keys_are_unique_and_sections_stand_together() {
        let mut seen = Vec::new();
        for option in OPTIONS {
            assert!(!seen.contains(&option.key), "{}", option.key);
            seen.push(option.key);
        }
        let mut sections: Vec<&str> = OPTIONS.iter().map(schema::Spec::section).collect();
        sections.dedup();
        let count = sections.len();
        sections.sort_unstable();
        sections.dedup();
        assert_eq!(sections.len(), count);
    }

    #[test]
    fn every_key_is_read_by_the_sources_with_its_kind() {
        let mut text = String::new();
        for file in [
            "mod.rs",
            "../daemon.rs",
            "../doors.rs",
            "../logs.rs",
            "../answer_log.rs",
            "../traffic/mod.rs",
            "../registration.rs",
            "../recursion/mod.rs",
            "../sync.rs",
            "../collection.rs",
            "../audit.rs",
            "../docking.rs",
            "../deposits.rs",
            "../watch/mod.rs",
            "../deposit_courier.rs",
        ] {
            let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config")).join(file);
            text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
        for option in OPTIONS {
            assert!(text.contains(&format!("\"{}\"", option.key)), "{} is never read", option.key);
        }
    }

    #[test]
    fn contradictions_are_reported_together() {
        let text = "[quic]\ncertificate = \"/none\"\n[listen]\nudp = []\ntcp = []\nquic = []\n[stream]\nconnections = 1\n[udp]\nbatch = 0\n";
        let problems = Config::read(text).unwrap_err();
        let of = |code: &str| problems.iter().filter(|problem| problem.code() == code).count();
        let counts = [of("config-combination"), of("config-file-missing"), of("config-out-of-range")];
        assert_eq!((counts, problems.len()), ([3, 1, 1], 5), "{problems:?}");
    }

    #[test]
    fn a_connection_to_the_top_level_node_is_whole_and_encrypted_or_refused() {
        let of = |text: &str| Config::read(text).map_or_else(|problems| problems.len(), |_| 0);
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let with = |rest: &str| {
            format!("[docking]\nprefix = \"88.104\"\napplication = \"a\"\nkey_file = \"{file}\"\n{rest}\n")
        };
        assert_eq!(of("[docking]\naddress = \"http://127.0.0.1:1/\"\n"), 3);
        assert_eq!(of(&with("address = \"http://127.0.0.1:1/epp\"")), 0);
        assert_eq!(of(&with("address = \"http://192.0.2.1/epp\"")), 1);
        assert_eq!(of(&with("address = \"http://192.0.2.1/epp\"\nplaintext = true")), 0);
        assert_eq!(of(&with("address = \"https://192.0.2.1/epp\"")), 1);
        assert_eq!(of(&with("address = \"https://192.0.2.1/epp\"\npin = \"00\"")), 0);
        assert_eq!(of(&with(&format!("address = \"https://x/\"\npin = \"00\"\nauthorities = \"{file}\""))), 1);
        assert_eq!(of(&with("address = \"x\"")), 1);
        let docked = Config::read(&with("address = \"http://127.0.0.1:1/epp\"")).unwrap();
        assert!(!docked.catalog(Path::new("x")).business.operator_confirms, "the top-level node says it itself");
        assert!(Config::defaults().catalog(Path::new("x")).business.operator_confirms);
    }

    #[test]
    fn registration_data_is_answered_in_clear_on_loopback_only_and_people_are_never_public() {
        let of = |text: &str| Config::read(text).map_or_else(|problems| problems.len(), |_| 0);
        assert_eq!(of("[listen]\nquery = [\"0.0.0.0:0\"]\n"), 0);
        assert_eq!(of("[listen]\nquery = [\"0.0.0.0:0\"]\n[registration]\nplaintext = true\n"), 1);
        assert_eq!(of("[listen]\nquery = [\"127.0.0.1:0\", \"[::1]:0\"]\n[registration]\nplaintext = true\n"), 0);
        assert_eq!(of("[query]\npublic = [\"address\", \"idNumber\"]\n"), 0);
        for item in ["legalPerson", "contact", "idPhoto", "name"] {
            assert_eq!(of(&format!("[query]\npublic = [\"{item}\"]\n")), 1, "{item}");
        }
    }

    #[test]
    fn one_port_for_two_doors_is_refused() {
        let text = "[listen]\nudp = [\"127.0.0.1:5\"]\nquic = [\"127.0.0.1:5\"]\n";
        assert_eq!(Config::read(text).unwrap_err().len(), 1);
        let free = "[listen]\nudp = [\"127.0.0.1:0\"]\nquic = [\"127.0.0.1:0\"]\n";
        assert!(Config::read(free).is_ok());
    }

    #[test]
    fn the_shipped_file_is_the_table_of_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/waymark.toml");
        let made = render::file(OPTIONS);
        if std::env::var_os("WAYMARK_WRITE_CONFIG").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let shipped = std::fs::read_to_string(path).unwrap();
        assert!(shipped == made, "config/waymark.toml differs from `waymark config`: write its output there");
        assert!(Config::read(&shipped).is_ok());
    }

    #[test]
    fn every_shipped_file_is_good() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                assert!(Config::load(Some(&path)).is_ok(), "{}", path.display());
                read += 1;
            }
        }
        assert!(read >= 4);
    }

    #[test]
    fn the_shipped_file_works_with_every_line_switched_on() {
        let shipped = render::file(OPTIONS);
        let on: Vec<&str> = shipped
            .lines()
            .map(|line| {
                line.strip_prefix("# ").filter(|line| line.contains(" = ") && !line.contains(": ")).unwrap_or(line)
            })
            .collect();
        let config = Config::read(&on.join("\n")).unwrap();
        for option in OPTIONS {
            if let Kind::Number { default, .. } = option.kind {
                assert_eq!(config.values().number(option.key), default, "{}", option.key);
            }
        }
    }

    #[test]
    fn the_readme_holds_the_table_of_options() {
        const MARKS: [&str; 2] = ["<!-- options -->\n", "<!-- /options -->"];
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let (before, rest) = readme.split_once(MARKS[0]).unwrap();
        let (table, after) = rest.split_once(MARKS[1]).unwrap();
        let made = render::markdown(OPTIONS);
        if std::env::var_os("WAYMARK_WRITE_CONFIG").is_some() {
            std::fs::write(path, format!("{before}{}{made}{}{after}", MARKS[0], MARKS[1])).unwrap();
        } else {
            assert!(table == made, "README.md: the table of options is not that of the program");
        }
    }

    #[test]
    fn a_value_can_be_replaced() {
        let mut config = Config::defaults();
        config.set("node.data", Value::Text("elsewhere".into()));
        assert_eq!(config.data(), PathBuf::from("elsewhere"));
    }
}
