# Texts in English. A code keeps its meaning once released; a text may be improved at any time.

# Help: the commands
help = Waymark: register and resolve identifiers. Everything a person types.
help-any-lang = Language of messages: en or zh (default: from LC_ALL, LC_MESSAGES, LANG)
help-any-data = Data folder (default: node.data of the configuration)
help-any-config = Configuration file (default: all defaults)
help-any-json = Print JSON for programs instead of text for people
help-any-file = File to read or write
help-any-prefixes = Prefixes, such as 88.990.10001
help-any-pin = Fingerprint (SHA-256, hexadecimal) the server's QUIC certificate must have
help-resolve = Ask a node about an identifier
help-resolve-handle = The identifier, such as 88.990.10001/XE215X.2026.0001
help-resolve-server = Where to ask: udp://HOST:PORT, tcp://HOST:PORT or quic://HOST:PORT; several are tried in order (default: the node of the data folder)
help-resolve-data = Data folder of a node running here, used to find its addresses
help-resolve-index = Only the value at this index; may be repeated
help-resolve-types = Only values of this type; URL. also means its sub-types; may be repeated
help-resolve-restricted = Ask for values that are not public too (the node will ask who you are)
help-resolve-certified = Ask for an answer signed by the node
help-resolve-timeout = Time for everything together, in milliseconds
help-import = Bring identifiers from a file into a data folder (the node must not be running)
help-import-form = Form of the file
help-import-dry-run = Check every line and write nothing
help-import-home = Serve the prefixes of the file that are not served yet
help-import-from-start = Begin at the first line even if an earlier import of this file was interrupted
help-import-rejects = Where refused lines are listed (default: FILE.rejects.jsonl)
help-import-files-from = Folder that FILE values of a batch file may be read from (default: such values are refused)
help-export = Write identifiers of a data folder to a file or standard output
help-export-form = Form to write
help-export-prefix = Only identifiers of this prefix
help-status = Say how a node or a data folder is
help-load = Ask a node many questions and measure the answers
help-load-server = Where to ask: udp://HOST:PORT, tcp://HOST:PORT or quic://HOST:PORT (default: UDP of the node of the data folder)
help-load-data = Data folder of a node running here, used to find its addresses
help-load-names = File of identifiers, one a line
help-load-pattern = Names made from a counter, such as 88.111.1/item-{"{"}:07{"}"}
help-load-count = Numbers of the pattern: 0 up to this, not included
help-load-seconds = Length of the run
help-load-sockets = Sockets or connections
help-load-outstanding = Questions under way on each socket (closed loop)
help-load-rate = Questions a second in all (open loop: latency counts from the intended time of sending)
help-load-popularity = How names are chosen
help-load-exponent = Exponent of the Zipf distribution
help-load-absent = Share of questions for names that do not exist, in percent
help-load-no-padding = Do not pad UDP questions, so that large answers come in several packets
help-load-seed = Seed of the choice of names; the same seed asks the same questions
help-load-from = Local address to ask from
help-store = Check, repair and describe stored data
help-store-check = Verify every covered byte and say what is wrong and where
help-store-rebuild = Remake the queryable state and the index snapshot from the log
help-store-info = Say what the data folder holds
help-prefix = Say which prefixes a data folder serves, or change that
help-prefix-list = List the prefixes served
help-prefix-home = Serve prefixes from now on
help-prefix-unhome = Stop serving prefixes; their identifiers stay in the data folder
help-demo = Start a node with sample identifiers and resolve them all over UDP, TCP and QUIC
help-demo-once = Stop after the checks; exit code 0 only if every check held
help-demo-data = Folder of the demo's data; made anew each time
help-config = Print the configuration file with every option, its default and its reason
help-daemon = The Waymark daemon: answers questions about identifiers over UDP, TCP and QUIC
help-daemon-check-config = Check the configuration, report everything wrong, and stop

# Configuration
config-unreadable = The configuration { $path } cannot be read: { $cause }. Check the path and its permissions.
config-syntax = The configuration is not valid TOML, line { $line }: { $cause }.
config-unknown-key = There is no option { $key }. The nearest is { $nearest }. `waymark config` lists all.
config-wrong-type = { $key } = { $value } has the wrong type. Allowed: { $range } { $unit }
config-out-of-range = { $key } = { $value } is not allowed. Allowed: { $range } { $unit }
config-combination = { $first } and { $second } do not go together: { $cause }.
config-file-missing = { $key }: the file { $path } cannot be read: { $cause }.
config-good = The configuration is good.
