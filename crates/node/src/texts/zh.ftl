# 中文文本。代码一经发布含义不变;文字可随时改进。

# 帮助:命令
help = Waymark:标识注册与解析。人所输入的一切命令。
help-any-lang = 消息语言:en 或 zh(默认取自 LC_ALL、LC_MESSAGES、LANG)
help-any-data = 数据目录(默认:配置中的 node.data)
help-any-config = 配置文件(默认:全部取默认值)
help-any-json = 输出供程序读取的 JSON,而不是供人阅读的文字
help-any-file = 要读或写的文件
help-any-prefixes = 前缀,例如 88.990.10001
help-any-pin = 服务器 QUIC 证书必须具有的指纹(SHA-256,十六进制)
help-resolve = 向节点查询一个标识
help-resolve-handle = 标识,例如 88.990.10001/XE215X.2026.0001
help-resolve-server = 查询地址:udp://主机:端口、tcp://主机:端口 或 quic://主机:端口;可给多个,依次尝试(默认:数据目录对应的节点)
help-resolve-data = 本机运行节点的数据目录,用于查找其地址
help-resolve-index = 只取该索引的值;可重复
help-resolve-types = 只取该类型的值;“URL.”还包括其子类型;可重复
help-resolve-restricted = 同时请求非公开的值(节点会要求证明身份)
help-resolve-certified = 请求由节点签名的应答
help-resolve-timeout = 总时限,单位毫秒
help-import = 把文件中的标识导入数据目录(节点须未运行)
help-import-form = 文件格式
help-import-dry-run = 检查每一行,不写入任何内容
help-import-home = 对文件中尚未服务的前缀开始服务
help-import-from-start = 即使此文件上次导入中断,也从第一行开始
help-import-rejects = 被拒绝的行写入何处(默认:FILE.rejects.jsonl)
help-import-files-from = 批处理文件中 FILE 值允许读取的目录(默认:拒绝此类值)
help-export = 把数据目录中的标识写到文件或标准输出
help-export-form = 输出格式
help-export-prefix = 只输出该前缀的标识
help-status = 报告节点或数据目录的状态
help-load = 向节点大量查询并测量应答
help-load-server = 查询地址:udp://主机:端口、tcp://主机:端口 或 quic://主机:端口(默认:数据目录对应节点的 UDP)
help-load-data = 本机运行节点的数据目录,用于查找其地址
help-load-names = 标识文件,每行一个
help-load-pattern = 由计数器生成的名称,例如 88.111.1/item-{"{"}:07{"}"}
help-load-count = 计数范围:从 0 到该数(不含)
help-load-seconds = 运行时长(秒)
help-load-sockets = 套接字或连接的数量
help-load-outstanding = 每个套接字上同时进行的查询数(闭环)
help-load-rate = 每秒查询总数(开环:时延从计划发送时刻算起)
help-load-popularity = 名称的选取方式
help-load-exponent = Zipf 分布的指数
help-load-absent = 查询不存在名称的百分比
help-load-no-padding = 不填充 UDP 请求,较大的应答将分成多个数据包
help-load-seed = 名称选取的种子;相同种子产生相同的查询
help-load-from = 本地发送地址
help-store = 检查、修复和描述存储的数据
help-store-check = 校验所有受保护的字节,指出问题及位置
help-store-rebuild = 由日志重建可查询状态和索引快照
help-store-info = 说明数据目录中有什么
help-prefix = 列出或更改数据目录所服务的前缀
help-prefix-list = 列出所服务的前缀
help-prefix-home = 从现在起服务这些前缀
help-prefix-unhome = 停止服务这些前缀;其标识仍保留在数据目录中
help-demo = 启动带示例标识的节点,并通过 UDP、TCP 和 QUIC 全部解析
help-demo-once = 检查后即停止;仅当每项检查都成立时退出码为 0
help-demo-data = 演示数据的目录;每次重新建立
help-config = 打印配置文件,含每个选项、默认值和理由
help-daemon = Waymark 守护进程:通过 UDP、TCP 和 QUIC 应答标识查询
help-daemon-check-config = 检查配置,报告所有问题后停止

# 配置
config-unreadable = 无法读取配置 { $path }:{ $cause }。请检查路径及权限。
config-syntax = 配置不是有效的 TOML,第 { $line } 行:{ $cause }。
config-unknown-key = 没有选项 { $key }。最接近的是 { $nearest }。`waymark config` 列出全部选项。
config-wrong-type = { $key } = { $value } 的类型不对。允许:{ $range } { $unit }
config-out-of-range = { $key } = { $value } 不被允许。允许:{ $range } { $unit }
config-combination = { $first } 与 { $second } 不能同时使用:{ $cause }。
config-file-missing = { $key }:无法读取文件 { $path }:{ $cause }。
config-good = 配置正确。
