//! The one table of everything that can go wrong: a stable name for programs, codes for both doors, and what to tell people.
//!
//! `docs/REASONS.md` is made from it. Words in braces are filled in with values.

use tonic::Code;

/// A text in the languages the node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese as written in China.
    pub zh: &'static str,
}

/// What is known of a reason.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name: what programs compare. Never changes once published.
    pub name: &'static str,
    /// Code over gRPC.
    pub code: Code,
    /// Status over HTTP.
    pub http: u16,
    /// What is wrong.
    pub cause: Text,
    /// What to do.
    pub remedy: Text,
}

/// Declares the reasons with their rows, so that neither can be without the other.
macro_rules! reasons {
    ($($reason:ident $name:literal $code:ident $http:literal
        { $cause_en:literal $cause_zh:literal } { $remedy_en:literal $remedy_zh:literal })*) => {
        /// Why a call or a change was not carried out.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $cause_en] $reason,)*
        }

        impl Reason {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// What is known of it.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$reason => Row {
                        name: $name,
                        code: Code::$code,
                        http: $http,
                        cause: Text { en: $cause_en, zh: $cause_zh },
                        remedy: Text { en: $remedy_en, zh: $remedy_zh },
                    },)*
                }
            }
        }
    };
}

reasons! {
    // About the request itself.
    InvalidArgument "INVALID_ARGUMENT" InvalidArgument 400
        { "the request is not what this call takes: {detail}" "请求不符合此调用的要求：{detail}" }
        { "correct the fields listed in the violations and send it again" "按所列的字段问题更正后重新发送" }
    InvalidHandle "INVALID_HANDLE" InvalidArgument 400
        { "the identifier cannot be registered: {detail}" "标识不能注册：{detail}" }
        { "use prefix/suffix in UTF-8 without control characters, within the length this node allows" "请使用 UTF-8 编码、不含控制字符、长度在本节点允许范围内的“前缀/后缀”" }
    InvalidValue "INVALID_VALUE" InvalidArgument 400
        { "a value cannot be stored: {detail}" "有一个值不能保存：{detail}" }
        { "correct the value and send the change again" "更正该值后重新发送" }
    TooManyValues "TOO_MANY_VALUES" InvalidArgument 400
        { "the identifier would hold {count} values, more than {limit}" "该标识将有 {count} 个值，超过上限 {limit}" }
        { "spread the values over several identifiers, or ask the operator for a higher limit" "请分散到多个标识，或请管理员提高上限" }
    RecordTooLarge "RECORD_TOO_LARGE" InvalidArgument 400
        { "the values would take {count} bytes together, more than {limit}" "所有值合计 {count} 字节，超过上限 {limit}" }
        { "keep large data elsewhere and register its address" "大数据请存放在别处，仅注册其地址" }
    TooLarge "TOO_LARGE" InvalidArgument 413
        { "the change by itself is more than this node writes at a time" "该变更本身超过本节点一次写入的上限" }
        { "send its values in several changes" "请将其中的值分成多个变更发送" }
    MessageTooLarge "MESSAGE_TOO_LARGE" OutOfRange 413
        { "a message is larger than this node takes: {detail}" "消息超过本节点接收的上限：{detail}" }
        { "send less in one message" "请减小单条消息" }
    NoSuchPath "NO_SUCH_PATH" Unimplemented 404
        { "there is nothing under this path" "此路径下没有内容" }
        { "see docs/http.md for the paths there are" "可用路径请参阅 docs/http.md" }
    NoSuchMethod "NO_SUCH_METHOD" Unimplemented 405
        { "this path does not take this method" "此路径不支持该方法" }
        { "see docs/http.md for the methods each path takes" "各路径支持的方法请参阅 docs/http.md" }
    NoSuchQuery "NO_SUCH_QUERY" Unimplemented 404
        { "there is nothing under this path" "此路径下没有内容" }
        { "see /help for the paths there are" "可用路径请参阅 /help" }
    ReadOnlyQuery "READ_ONLY_QUERY" Unimplemented 405
        { "this service takes GET and HEAD" "此服务只支持 GET 与 HEAD" }
        { "ask by GET; nothing can be changed here" "请使用 GET；此处不能更改任何内容" }
    UnprocessableQuery "UNPROCESSABLE_QUERY" InvalidArgument 422
        { "the question is understood and not answered: {detail}" "查询可以理解但不予回答：{detail}" }
        { "see /help for what can be asked" "可查询的内容请参阅 /help" }
    SearchCut "SEARCH_CUT" FailedPrecondition 422
        { "the search ended before every prefix was looked at, and found none by then" "查询在查完所有前缀之前已到上限，此前没有找到" }
        { "ask by prefix (/identifier/); the operator of this node may raise `query.scan`" "请按前缀查询（/identifier/）；本节点运营者可调高 query.scan" }
    InvalidAccess "INVALID_ACCESS" InvalidArgument 400
        { "{field} {detail}" "{field}：{detail}" }
        { "correct the field and send it again" "更正该字段后重新发送" }
    InvalidBusiness "INVALID_BUSINESS" InvalidArgument 400
        { "{field} {detail}" "{field}：{detail}" }
        { "correct the field and send it again" "更正该字段后重新发送" }
    PageTokenInvalid "PAGE_TOKEN_INVALID" InvalidArgument 400
        { "the page token is not one this node gave for this query" "分页令牌不是本节点为该查询给出的" }
        { "begin again without a page token, and send the other fields unchanged with each page" "不带分页令牌重新开始，翻页时其它字段保持不变" }
    StreamProtocol "STREAM_PROTOCOL" InvalidArgument 400
        { "the messages of the stream are not in order: {detail}" "流中的消息顺序不对：{detail}" }
        { "send `open` once and first, then `items`" "首先且仅发送一次 open，然后发送 items" }

    // About what is stored.
    NotFound "NOT_FOUND" NotFound 404
        { "there is no such {what}" "没有这样的对象：{what}" }
        { "check the name; the {what} must be there before it can be read or changed" "请检查名称；{what}须先存在才能读取或变更" }
    NotServed "NOT_SERVED" FailedPrecondition 409
        { "prefix {prefix} does not live on this node" "前缀 {prefix} 不在本节点" }
        { "ask the node that serves the prefix, or have the operator home it here" "请向服务该前缀的节点提交，或请管理员在本节点启用该前缀" }
    AlreadyExistsSame "ALREADY_EXISTS_SAME" AlreadyExists 409
        { "the identifier exists with the same content, at serial {serial}" "标识已存在且内容相同，序号 {serial}" }
        { "nothing is left to do" "无需再做任何操作" }
    AlreadyExistsDifferent "ALREADY_EXISTS_DIFFERENT" AlreadyExists 409
        { "the identifier exists with different content, at serial {serial}" "标识已存在但内容不同，序号 {serial}" }
        { "read it; replace it if it shall become what was sent" "请先读取；如确需改为所发内容请使用替换" }
    IndexConflict "INDEX_CONFLICT" AlreadyExists 409
        { "a value of index {index} exists, or stands twice in the change" "索引 {index} 的值已存在，或在变更中重复" }
        { "choose a free index, or set `overwrite`" "请选用空闲索引，或设置 overwrite" }
    ValuesNotFound "VALUES_NOT_FOUND" NotFound 404
        { "there is no value of index {index}" "没有索引为 {index} 的值" }
        { "read the identifier and name indexes that exist" "请读取该标识，并使用存在的索引" }
    ReadOnlyValue "READ_ONLY_VALUE" FailedPrecondition 409
        { "value {index} may not be changed" "值 {index} 不允许修改" }
        { "leave the value out; its permissions allow nobody to write it" "请不要包含该值；其权限不允许任何人写入" }
    Unexpected "UNEXPECTED" FailedPrecondition 412
        { "the identifier is not as the change expects it: it is at serial {serial}" "标识与变更的预期不符：当前序号 {serial}" }
        { "read it, decide anew, and expect its current serial" "请重新读取后再决定，并以当前序号作为预期" }
    Withdrawn "WITHDRAWN" FailedPrecondition 409
        { "the identifier is {state}" "标识处于{state}状态" }
        { "resume it first where it is suspended; what is revoked stays so" "如为暂停可先恢复；已吊销的不能恢复" }
    Unreadable "UNREADABLE" DataLoss 500
        { "stored data cannot be read: {place}" "存储的数据无法读取：{place}" }
        { "tell the operator, who finds the place by `waymark store check`: the data of this node is damaged; nothing was changed" "请告知管理员用 waymark store check 查找损坏位置：本节点数据损坏；未作任何更改" }

    // About code packages.
    InvalidPackage "INVALID_PACKAGE" InvalidArgument 400
        { "{field} {detail}" "{field}：{detail}" }
        { "correct the field and send it again" "更正该字段后重新发送" }
    PackageOverlaps "PACKAGE_OVERLAPS" AlreadyExists 409
        { "the codes would be in the way of package {package}" "这些编码与码包 {package} 冲突" }
        { "leave the first serial out to go on behind it, or choose another stem" "请不指定起始序号以接续其后，或改用其它前导码" }
    PackageHoldsIdentifier "PACKAGE_HOLDS_IDENTIFIER" AlreadyExists 409
        { "{handle}, one of the codes, is registered already" "其中的编码 {handle} 已被单独注册" }
        { "choose other serials or another stem" "请改用其它序号或其它前导码" }
    RollAlreadyExported "ROLL_ALREADY_EXPORTED" FailedPrecondition 409
        { "codes {serials} were given out for printing by {by} on {time}, {times} time(s)" "序号 {serials} 的编码已由 {by} 于 {time} 导出用于印刷，共 {times} 次" }
        { "leave the first serial out for codes nobody has; say why in `again` if these must be printed once more" "请不指定起始序号以领取未导出的编码；确需重印请在 again 中说明原因" }
    CodesNotUsable "CODES_NOT_USABLE" FailedPrecondition 409
        { "codes {serials} of {package} are {state}" "码包 {package} 中序号 {serials} 的编码状态为 {state}" }
        { "leave them out; what is used, spoiled or withdrawn does not become new again" "请排除这些编码；已使用、损毁或收回的编码不能重新启用" }
    CodesLeased "CODES_LEASED" FailedPrecondition 409
        { "codes {serials} of {package} are with printing station {station}" "码包 {package} 中序号 {serials} 的编码已租给打印工位 {station}" }
        { "have the station report what it did with them first" "请先由该工位上报这些编码的使用情况" }
    TooFewCodes "TOO_FEW_CODES" FailedPrecondition 409
        { "only {free} codes in one piece are free" "连续可用的编码只有 {free} 个" }
        { "ask for fewer, or order another package" "请减少数量，或订购新的码包" }
    NotReconciled "NOT_RECONCILED" FailedPrecondition 409
        { "the report does not come to the leased codes {serials}: it tells of {count}, or of some twice" "上报与所租编码 {serials} 不符：共 {count} 个，或有重复" }
        { "tell each leased code exactly once, as printed, spoiled or blank" "请将每个所租编码恰好上报一次：已印、损毁或空白" }
    NeverIssued "NEVER_ISSUED" FailedPrecondition 409
        { "the name has the form of a package's codes, and was never issued: its check characters are wrong" "该名称形似码包中的编码，但校验字符有误，从未发放" }
        { "check the code for misprints; names of that form belong to the package" "请核对编码是否有误；此形式的名称属于该码包" }
    // About templates.
    InvalidTemplate "INVALID_TEMPLATE" InvalidArgument 400
        { "the definition of the template cannot be taken: {field} {detail}" "模板定义不能接受：{field} {detail}" }
        { "correct the field and send the draft again" "更正该字段后重新发送草稿" }
    TemplateNotFound "TEMPLATE_NOT_FOUND" NotFound 404
        { "there is no template {template}" "没有模板 {template}" }
        { "check prefix, code and version; list the templates there are" "请检查前缀、代码与版本；可列出现有模板" }
    TemplatePublished "TEMPLATE_PUBLISHED" FailedPrecondition 409
        { "template {template} is published and never changes" "模板 {template} 已发布，不可更改" }
        { "write the next version; columns nobody shall use any more can be disabled" "请编写下一版本；不再使用的列可以停用" }
    TemplateNotPublished "TEMPLATE_NOT_PUBLISHED" FailedPrecondition 409
        { "template {template} is a draft" "模板 {template} 仍是草稿" }
        { "publish it first" "请先发布" }
    FieldsWrong "FIELDS_WRONG" InvalidArgument 400
        { "{count} of the fields are not what template {template} says, the first: {detail}" "有 {count} 个字段不符合模板 {template}，首个为：{detail}" }
        { "correct the fields listed in the violations and send the change again" "请按所列字段问题更正后重新发送" }
    TemplateHandleTaken "TEMPLATE_HANDLE_TAKEN" AlreadyExists 409
        { "the identifier {template} is registered already and says something else" "标识 {template} 已注册且内容不同" }
        { "delete that identifier, or choose another code or version" "请删除该标识，或改用其它代码或版本" }
    TemplateRecord "TEMPLATE_RECORD" FailedPrecondition 409
        { "the identifier is that of a published template" "该标识属于已发布的模板" }
        { "it is changed by the template alone: disable a column, or publish the next version" "只能通过模板更改：停用某列或发布下一版本" }
    // About recalls.
    Recalled "RECALLED" FailedPrecondition 409
        { "it is recalled, and this change would take the notice of that away" "该对象处于召回状态，此变更会去除召回告知" }
        { "lift the recall first, if there is no more danger" "如已无危险，请先解除召回" }
    // About links.
    InvalidLink "INVALID_LINK" InvalidArgument 400
        { "value {index} is no link: it {detail}" "值 {index} 不是有效的关联：{detail}" }
        { "write a relation (part-of, made-from, packed-in), a space, and another identifier" "请写作：关系（part-of、made-from、packed-in）、一个空格、另一个标识" }
    InvalidAggregation "INVALID_AGGREGATION" InvalidArgument 400
        { "{field} {detail}" "{field}：{detail}" }
        { "correct the field and send it again; nothing was packed or taken out" "按字段问题更正后重新发送；未做任何装入或取出" }
    AlreadyAggregated "ALREADY_AGGREGATED" FailedPrecondition 409
        { "{child} is packed in {parent}; nothing was packed" "{child} 已装入 {parent}；未做任何装入" }
        { "take it out of {parent} first, or leave it out" "请先将其从 {parent} 取出，或不包含它" }
    NotAggregated "NOT_AGGREGATED" FailedPrecondition 409
        { "{child} is not packed in {parent}; nothing was taken out" "{child} 未装入 {parent}；未做任何取出" }
        { "trace {parent} down for what is in it, or leave {child} out" "请向下追溯 {parent} 查看其内容，或不包含 {child}" }
    // About enterprises and their prefixes.
    DocumentTaken "DOCUMENT_TAKEN" AlreadyExists 409
        { "another enterprise is registered with this document" "该证件已由另一企业登记" }
        { "check kind and number of the document; if they are right, ask the operator" "请核对证件类型与号码；如无误请联系管理员" }
    PrefixTaken "PREFIX_TAKEN" AlreadyExists 409
        { "the prefix is taken" "该前缀已被占用" }
        { "choose another prefix" "请选择其它前缀" }
    WrongStep "WRONG_STEP" FailedPrecondition 409
        { "the prefix is {state}, where the step {step} cannot be taken" "该前缀处于 {state} 状态，不能执行 {step}" }
        { "read the case and take the step that is next" "请查看该前缀的办理情况，并执行下一步骤" }
    NotVerified "NOT_VERIFIED" FailedPrecondition 409
        { "enterprise {enterprise} is not verified, or was changed since" "企业 {enterprise} 未通过实名核验，或核验后已变更" }
        { "verify its documents and set the result, then approve" "请先核验其证件并登记结果，然后再批准" }
    NoKeys "NO_KEYS" FailedPrecondition 501
        { "this node has no file for the keys of personal data" "本节点未配置个人信息密钥文件" }
        { "tell the operator to set personal.key_file" "请管理员设置 personal.key_file" }
    KeysFailed "KEYS_FAILED" Unavailable 503
        { "the keys of personal data cannot be used" "个人信息密钥无法使用" }
        { "tell the operator; the log of the node says what is wrong with the key file" "请告知管理员；密钥文件的问题见节点日志" }

    // About sets enterprises report.
    NotDelegated "NOT_DELEGATED" FailedPrecondition 409
        { "prefix {prefix} is not active and given to a node of the enterprise's own here" "前缀 {prefix} 在本节点未启用，或未委派给企业自建节点" }
        { "ask the operator to delegate it; what was not taken is sent again by itself" "请管理员将其委派；未接收的内容会自动重发" }
    PeriodNotOver "PERIOD_NOT_OVER" FailedPrecondition 409
        { "what the part tells of is not over by the clock here" "按本节点时钟，该部分所述时段尚未结束" }
        { "set the clocks; send the part again later, as it is" "请校准时钟；稍后原样重发该部分" }
    CollectionFull "COLLECTION_FULL" ResourceExhausted 507
        { "as much of prefix {prefix} waits for the top-level node as this node keeps" "前缀 {prefix} 等待上报的内容已达本节点保留上限" }
        { "send it again later; the operator sees by `waymark sync status` why it does not get up" "请稍后重发；管理员可用 waymark sync status 查看未能上报的原因" }

    // About request ids and streams.
    RequestReused "REQUEST_REUSED" InvalidArgument 422
        { "the request id was used for another request" "该请求编号已用于另一请求" }
        { "make a new request id for each new change" "每个新的变更请生成新的请求编号" }
    IdempotencyExpired "IDEMPOTENCY_EXPIRED" FailedPrecondition 410
        { "the request id is older than this node remembers, so whether it was carried out is not known from it" "该请求编号超出本节点的记忆范围，无法据此得知是否已执行" }
        { "read the identifier to see whether the change is there; if it is not, send it with a new request id" "请读取该标识查看变更是否已生效；如未生效请用新的请求编号发送" }
    RequestFromFuture "REQUEST_FROM_FUTURE" InvalidArgument 400
        { "the request id says it was made in the future" "请求编号显示其生成于未来" }
        { "set the clock of the calling machine" "请校准调用方机器的时钟" }
    StreamGap "STREAM_GAP" FailedPrecondition 409
        { "item {number} cannot follow: the stream is at {mark}" "不能接收第 {number} 项：流当前位于 {mark}" }
        { "continue with item {next}" "请从第 {next} 项继续" }
    StreamMoved "STREAM_MOVED" Aborted 409
        { "another connection has moved the stream, to {mark}" "另一连接已推进该流，至 {mark}" }
        { "let one connection at a time write to a stream; ask for its mark and continue behind it" "同一个流一次只用一个连接写入；查询标记后从其后继续" }
    OutcomeNotKept "OUTCOME_NOT_KEPT" FailedPrecondition 410
        { "the items were decided, and what became of those before item {from} is not kept any more" "这些条目已处理，但第 {from} 项之前的结果已不再保留" }
        { "begin with an item behind the mark; read identifiers to see what they became" "请从标记之后的条目开始；如需了解结果请读取相应标识" }
    Compacted "COMPACTED" OutOfRange 410
        { "changes up to serial {oldest} are no longer kept one by one" "序号 {oldest} 之前的变更已不再逐条保留" }
        { "list all identifiers for a snapshot, then watch from the serial at which the list began" "请先列出全部标识作为快照，再从开始列出时的序号起监视" }
    TooManyVersions "TOO_MANY_VERSIONS" ResourceExhausted 422
        { "more than {limit} versions of the identifier lie between" "其间该标识的版本超过 {limit} 个" }
        { "page through its history instead" "请改为分页读取其历史" }
    SlowReader "SLOW_READER" ResourceExhausted 429
        { "the client did not read its answers for {seconds} seconds" "客户端 {seconds} 秒未读取应答" }
        { "call again and continue from the mark or the last serial; read answers while sending" "请重新调用并从标记或最后序号继续；发送时要同时读取应答" }
    StreamIdle "STREAM_IDLE" DeadlineExceeded 408
        { "nothing came for {seconds} seconds" "{seconds} 秒内没有收到任何内容" }
        { "call again and continue from the mark" "请重新调用并从标记处继续" }
    DeadlineExceeded "DEADLINE_EXCEEDED" DeadlineExceeded 504
        { "the time allowed for the call has passed; what was handed to the writer is carried out" "调用时限已过；已提交写入的部分仍会执行" }
        { "ask what became of it: repeat with the same request id, or ask for the mark of the stream" "请查询结果：用相同请求编号重试，或查询流的标记" }

    AuditUnfinished "AUDIT_UNFINISHED" DeadlineExceeded 504
        { "the audit could not be verified in the time allowed: entries up to serial {serial} were looked at, and the problems found until there are {count}" "未能在时限内完成审计验证：已检查到序号 {serial}，其间发现问题 {count} 个" }
        { "allow a longer deadline, up to registration.audit_seconds of the node, or run `waymark audit verify` on its machine" "请放宽调用时限（最长为节点的 registration.audit_seconds），或在节点机器上运行 waymark audit verify" }

    // About the caller.
    Unauthenticated "UNAUTHENTICATED" Unauthenticated 401
        { "no credential that this node knows" "没有本节点认可的凭证" }
        { "send `authorization: Bearer TOKEN` with a token of this node, or a client certificate known to it" "请发送 authorization: Bearer 令牌，或使用本节点登记的客户端证书" }
    TokenExpired "TOKEN_EXPIRED" Unauthenticated 401
        { "the token has expired" "令牌已过期" }
        { "have a new token issued" "请签发新的令牌" }
    TokenRevoked "TOKEN_REVOKED" Unauthenticated 401
        { "the token was revoked" "令牌已被吊销" }
        { "ask whoever manages access to this node" "请联系本节点的权限管理人员" }
    PrincipalDisabled "PRINCIPAL_DISABLED" Unauthenticated 401
        { "the principal is disabled" "该主体已停用" }
        { "ask whoever manages access to this node" "请联系本节点的权限管理人员" }
    TooManyFailures "TOO_MANY_FAILURES" ResourceExhausted 429
        { "too many wrong credentials came from this address" "该地址发来过多错误凭证" }
        { "correct the credential and wait before trying again" "请更正凭证，稍候再试" }
    NotPermitted "NOT_PERMITTED" PermissionDenied 403
        { "the credential does not allow this here" "该凭证不允许此操作" }
        { "ask for the verb and the prefix to be added to the credential, or use another one" "请申请相应的操作与前缀权限，或使用其它凭证" }
    RateLimited "RATE_LIMITED" ResourceExhausted 429
        { "more than {rate} calls or items a second" "每秒超过 {rate} 次调用或条目" }
        { "come back at the time given, and send at an even pace" "请在所给时间之后再试，并匀速发送" }
    QuotaExceeded "QUOTA_EXCEEDED" ResourceExhausted 429
        { "the daily quota of {quota} writes is used up" "当日 {quota} 次写入的配额已用完" }
        { "come back at the time given, or ask for a larger quota" "请在所给时间之后再试，或申请提高配额" }

    // About jobs.
    JobTooLarge "JOB_TOO_LARGE" InvalidArgument 413
        { "the file of a job may have {limit} bytes at most" "任务文件最多 {limit} 字节" }
        { "send it in several jobs, or as a stream" "请分成多个任务发送，或使用流" }
    TooManyJobs "TOO_MANY_JOBS" ResourceExhausted 429
        { "{limit} jobs of this principal are not finished, which is as many as may be" "该主体已有 {limit} 个未完成的任务，达到上限" }
        { "wait until one is finished, or cancel one" "请等待其中一个完成，或取消一个" }
    JobsFull "JOBS_FULL" ResourceExhausted 507
        { "the node keeps as many unfinished jobs as it has room for" "本节点未完成的任务已占满空间" }
        { "try again later, send less at a time, or use a stream" "请稍后再试、减少单次数量，或使用流" }

    UploadTooSlow "UPLOAD_TOO_SLOW" DeadlineExceeded 408
        { "the file came at less than {rate} bytes a second, so no job was made of it" "文件传输速度低于每秒 {rate} 字节，未建立任务" }
        { "send it over a faster line, or as a stream, which may rest" "请使用更快的线路，或使用可以停顿的流" }

    // About the node.
    Busy "BUSY" ResourceExhausted 503
        { "the node has as much to do as it may hold; nothing of this was taken" "节点待处理的工作已满；本次未接收任何内容" }
        { "try again after a short while, waiting longer each time" "请稍候再试，并逐次延长等待" }
    DiskFull "DISK_FULL" ResourceExhausted 507
        { "the disk of the node is full; nothing of this was written" "节点磁盘已满；本次未写入任何内容" }
        { "tell the operator; writing resumes by itself when there is room, and reading goes on" "请告知管理员；有空间后会自动恢复写入，读取不受影响" }
    WritingStopped "WRITING_STOPPED" Unavailable 503
        { "writing has stopped because a flush to disk failed; this was not acknowledged, and whether it is on disk shows after a restart" "因刷盘失败写入已停止；本次未获确认，是否落盘需重启后可知" }
        { "tell the operator; after the restart repeat with the same request id, or ask for the mark of the stream" "请告知管理员；重启后用相同请求编号重试，或查询流的标记" }
    WriteFailed "WRITE_FAILED" Unavailable 503
        { "the disk refused the write; nothing of this was acknowledged" "磁盘拒绝写入；本次未获确认" }
        { "repeat with the same request id, or ask for the mark of the stream and continue behind it" "请用相同请求编号重试，或查询流的标记后继续" }
    StoreFull "STORE_FULL" ResourceExhausted 507
        { "the store or its index has reached its largest size; nothing of this was written" "存储或索引已达最大容量；本次未写入任何内容" }
        { "tell the operator" "请告知管理员" }
    StoredNotVisible "STORED_NOT_VISIBLE" Unavailable 503
        { "this is stored and durable, but not all of it can be read until the node is started with more memory: its index is full" "内容已写入并落盘，但因索引已满，在节点以更大内存重启之前不能全部读取" }
        { "do not send it as something new; tell the operator, and after the restart repeat with the same request id, or ask for the mark of the stream, for the receipt" "请勿作为新的变更重新发送；请告知管理员，重启后用相同请求编号重试或查询流的标记以获得回执" }
    Stopping "STOPPING" Unavailable 503
        { "the node is shutting down; what was not acknowledged may not have been written" "节点正在关闭；未获确认的内容可能未写入" }
        { "call again in a moment; repeat with the same request id, or continue from the mark" "请稍后再次调用；用相同请求编号重试，或从标记继续" }
    Internal "INTERNAL" Internal 500
        { "the node failed at this: {detail}" "节点处理失败：{detail}" }
        { "tell the operator; repeat with the same request id" "请告知管理员；可用相同请求编号重试" }
    Unimplemented "UNIMPLEMENTED" Unimplemented 501
        { "this node does not do that: {detail}" "本节点不提供：{detail}" }
        { "see the description of the service" "请参阅服务说明" }
}

impl Text {
    /// The text in a language.
    #[must_use]
    pub const fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

/// Words that fill slots of the texts, in Chinese.
const WORDS: &[(&str, &str)] = &[
    ("identifier", "标识"),
    ("principal", "主体"),
    ("token", "令牌"),
    ("job", "任务"),
    ("prefix", "前缀"),
    ("organisation", "机构"),
    ("child", "装入的标识"),
    ("suspended", "已暂停"),
    ("revoked", "已吊销"),
];

/// What fills a slot in a language: `what` and `state` are words of ours, everything else comes from elsewhere and stays as it is.
pub(crate) fn word<'a>(slot: &str, value: &'a str, language: Language) -> &'a str {
    match (language, slot) {
        (Language::Chinese, "what" | "state") => {
            WORDS.iter().find(|(english, _)| *english == value).map_or(value, |(_, chinese)| chinese)
        }
        _ => value,
    }
}

/// A language the node speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese as written in China.
    Chinese,
}

impl Language {
    /// Its tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The one of ours that an `accept-language` header likes best (RFC 9110 section 12.5.4); English when it likes neither.
    #[must_use]
    pub fn preferred(header: &str) -> Self {
        let mut best = (0.0_f32, Self::English);
        for entry in header.split(',').take(ACCEPTED_TAGS) {
            let mut parts = entry.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).and_then(|q| q.parse().ok());
            let weight = weight.unwrap_or(1.0_f32);
            let primary = tag.split('-').next().unwrap_or_default();
            let language = match () {
                () if primary.eq_ignore_ascii_case("zh") => Self::Chinese,
                () if primary.eq_ignore_ascii_case("en") => Self::English,
                () => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// Tags of a header that are looked at.
const ACCEPTED_TAGS: usize = 16;

/// The page of all reasons, for `docs/REASONS.md`.
#[must_use]
pub fn page() -> String {
    use std::fmt::Write as _;
    let mut page = String::from(
        "# Reasons\n\nEvery failed call and every refused change carries one of these names: over gRPC in `google.rpc.ErrorInfo.reason` and \
         `Refusal.reason`, over HTTP in `reason` of the `application/problem+json` body. Names never change. Words in braces are filled \
         in. This page is made from `src/reasons.rs`.\n\n\
         | Reason | gRPC | HTTP | Cause | Remedy | 原因 | 办法 |\n|---|---|---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let Row { name, code, http, cause, remedy } = reason.row();
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "| `{name}` | {code:?} | {http} | {} | {} | {} | {} |",
            cause.en, remedy.en, cause.zh, remedy.zh
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_upper_snake() {
        let mut seen = HashSet::new();
        for reason in Reason::ALL {
            let name = reason.row().name;
            assert!(seen.insert(name), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{name}");
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_values() {
        let slots = |text: &str| -> HashSet<String> {
            text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
        };
        for reason in Reason::ALL {
            let Row { name, cause, remedy, .. } = reason.row();
            assert_eq!(slots(cause.en), slots(cause.zh), "{name}");
            assert_eq!(slots(remedy.en), slots(remedy.zh), "{name}");
        }
    }

    #[test]
    fn the_page_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/REASONS.md");
        if std::env::var_os("WAYMARK_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text == page(),
            "run `WAYMARK_WRITE_DOCS=1 cargo test -p waymark-registration --lib` and commit docs/REASONS.md"
        );
    }

    #[test]
    fn the_language_liked_best_is_chosen() {
        let cases = [
            ("", Language::English),
            ("zh-CN", Language::Chinese),
            ("zh;q=0.5, en;q=0.8", Language::English),
            ("fr, zh-Hans;q=0.3", Language::Chinese),
            ("EN-us,zh;q=0.9", Language::English),
            ("zh;q=nonsense", Language::Chinese),
            ("zh;q=0", Language::English),
        ];
        for (header, language) in cases {
            assert_eq!(Language::preferred(header), language, "{header}");
        }
    }
}
