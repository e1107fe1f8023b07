//! Files of records in both formats.

use super::{Seed, samples};

/// One of everything the lines can say.
const JSON: &str = r#"{"handle":"88.1/all","note":"for people","values":[{"index":1,"type":"URL","data":"https://example.invalid/"},{"index":2,"type":"HS_ADMIN","label":"admin","ttl":0,"permissions":"1100","timestamp":"2026-09-21T14:13:20Z","data":{"format":"admin","value":{"handle":"0.NA/88.1","index":300,"permissions":"011111110011"}}},{"index":3,"type":"HS_VLIST","ttl":"2026-11-22T00:15:46Z","data":{"format":"vlist","value":[{"index":300,"handle":"0.NA/88.1"}]}},{"index":4,"type":"BIN","ttl":{"type":7,"value":-1},"permissions":"00011110","data":{"format":"hex","value":"00ff"}},{"index":5,"type":"META","data":{"format":"json","value":{"a":[1,2.50]}},"references":[{"index":1,"handle":"88.1/x"}]},{"index":6,"type":"HS_SITE","data":{"format":"site","value":{"version":1,"protocolVersion":"2.11","serialNumber":3,"primarySite":true,"attributes":[{"name":"desc","value":"d"}],"servers":[{"serverId":1,"address":"192.0.2.1","publicKey":{"format":"hex","value":"00"},"interfaces":[{"query":true,"admin":false,"protocol":"UDP","port":2641}]}]}}}]}
{"handle":"88.1/gone","status":{"state":"suspended","since":1790000000,"reason":"召回"},"values":[]}
{"handle":"88.1/ended","status":{"state":"revoked"},"values":[]}
"#;

/// One of every operation.
const BATCH: &str = "AUTHENTICATE SECKEY:300:0.NA/88.1\npassword\n\nSESSIONSETUP\nUSESESSION:1\n\nHOME 192.0.2.1:2641:TCP\n88.1\n0.NA/0.NA/88.2\n\n\
CREATE 88.1/a\n1 URL 86400 1110 UTF8 https://example.invalid/ \n100 HS_ADMIN 86400 1110 ADMIN 300:111111110011:0.NA/88.1\n\
200 HS_VLIST 86400 1110 LIST 300:0.NA/88.1;301:0.NA/88.1;\n\nADD 88.1/a\n2 EMAIL 60 1110 UTF8 a@example.invalid\n\n\
MODIFY 88.1/a\n2 EMAIL 60 1110 UTF8 b@example.invalid\n\nREMOVE 1,2:88.1/a\n\nCREATE 88.1/b\n1 FILE 1 1110 FILE value.bin\n\nDELETE 88.1/a\n\nUNHOME 192.0.2.1:2641:TCP\n88.1\n";

/// Lines that are wrong, each for a reason of its own.
const WRONG: &str = r#"{"handle":"88.1/a","values":[{"index":0,"type":"URL","data":"u"}]}
{"handle":"88.1/a","values":[{"index":1,"type":"URL","data":{"format":"hex","value":"0"}}]}
{"handle":"88.1/a","values":[{"index":1,"type":"URL","data":"u"},{"index":1,"type":"URL","data":"u"}]}
{"handle":"88.1/a","handle":"88.1/b","values":[]}
{"handle":"88.1/a","values":[],"more":1}
{"handle":"88.1/a"}
[]
{"handle":
"#;

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut add = |name: &str, shape: u8, file: &str| {
        seeds.push(("import_lines", name.to_owned(), [&[shape], file.as_bytes()].concat()));
    };
    for (number, sample) in samples().enumerate().step_by(17) {
        add(&format!("sample_{number}"), 0, sample);
    }
    add("json_of_everything", 0, JSON);
    add("json_of_everything_replacing", 4, JSON);
    add("json_of_everything_in_short_lines", 16, JSON);
    add("json_not_homed", 8, JSON);
    add("json_with_crlf_and_mark", 0, &format!("\u{feff}{}", JSON.replace('\n', "\r\n")));
    add("json_of_every_fault", 0, WRONG);
    add("batch_of_everything", 1, BATCH);
    add("batch_of_everything_replacing", 5, BATCH);
    add("batch_in_short_lines", 17, BATCH);
    add("batch_as_json", 0, BATCH);
    add("json_as_batch", 1, JSON);
    seeds
}
