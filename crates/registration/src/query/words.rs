//! What the service says to people, in English and Chinese.

use serde::Serialize;

use crate::reasons::{Language, Text};

/// A heading with its text.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Notice {
    title: &'static str,
    description: Vec<&'static str>,
}

/// The texts in one language.
pub(super) struct Words(pub(super) Language);

impl Words {
    fn notice(&self, title: Text, description: &[Text]) -> Notice {
        Notice { title: title.of(self.0), description: description.iter().map(|each| each.of(self.0)).collect() }
    }

    /// What stands in every answer.
    pub(super) fn terms(&self) -> Notice {
        self.notice(TERMS, &[PURPOSE, DRAFTS])
    }

    /// Why items are not as they are held.
    pub(super) fn withheld(&self) -> Notice {
        self.notice(WITHHELD, &[WITHHELD_WHY])
    }

    /// That a search ended early.
    pub(super) fn cut(&self) -> Notice {
        self.notice(CUT, &[CUT_WHY])
    }

    /// That a search for a name ended before every prefix was looked at.
    pub(super) fn name_cut(&self) -> Notice {
        self.notice(CUT, &[NAME_CUT_WHY])
    }

    /// That an organisation has more prefixes than are linked.
    pub(super) fn links_cut(&self) -> Notice {
        self.notice(CUT, &[LINKS_CUT_WHY])
    }

    /// How to ask.
    pub(super) fn help(&self) -> Vec<Notice> {
        vec![
            self.notice(HELP, &[HELP_IDENTIFIER, HELP_NAME, HELP_NAMES, HELP_OTHERS]),
            self.notice(LOGIN, &[LOGIN_BASIC, LOGIN_DIGEST]),
            self.notice(STATES, &[STATE_PRIVATE, STATE_REDACTED, STATE_OBSCURED]),
        ]
    }
}

const TERMS: Text = Text { en: "Registration data of this node", zh: "本节点的注册数据" };
const PURPOSE: Text = Text {
    en: "For looking up who holds a prefix; not for collecting data of organisations or people.",
    zh: "供查询前缀的持有者，不得用于批量收集机构或个人的数据。",
};
const DRAFTS: Text = Text {
    en: "Designed to follow drafts of IIIDAP that have expired; what they leave open is a form of this node.",
    zh: "按照已过期的 IIIDAP 草案设计；草案未规定之处采用本节点自己的形式。",
};
const WITHHELD: Text = Text { en: "Items withheld", zh: "部分内容未显示" };
const WITHHELD_WHY: Text = Text {
    en: "`node.privacy` names the items that are not shown as they are held; see /help.",
    zh: "node.privacy 列出了未按原样显示的内容，说明见 /help。",
};
const CUT: Text = Text { en: "Not all results", zh: "结果不完整" };
const CUT_WHY: Text = Text {
    en: "There may be more than is shown: give more of the name, or ask by prefix.",
    zh: "可能还有未列出的结果：请给出更长的名称开头，或按前缀查询。",
};
const NAME_CUT_WHY: Text = Text {
    en: "The search ended before every prefix was looked at: there may be more of this name, and older ones.",
    zh: "查询在查完所有前缀之前已到上限：可能还有该名称的其它前缀，也可能有注册更早的前缀。",
};
const LINKS_CUT_WHY: Text = Text {
    en: "There are more prefixes of this name than are linked; all of them are younger.",
    zh: "该名称的前缀多于所列链接，未列出的均注册较晚。",
};
const HELP: Text = Text { en: "What can be asked", zh: "可以查询的内容" };
const HELP_IDENTIFIER: Text = Text {
    en: "/identifier/{prefix}: who holds a prefix. A prefix of another service is answered with its address.",
    zh: "/identifier/{前缀}：前缀的持有者。属于其它服务的前缀将重定向到该服务。",
};
const HELP_NAME: Text = Text {
    en: "/name/{name}: the prefix of the organisation of exactly this name, with links to its others.",
    zh: "/name/{名称}：名称完全一致的机构的前缀，并附其它前缀的链接。",
};
const HELP_NAMES: Text = Text {
    en: "/names?name={beginning}*: prefixes of organisations whose name begins so; at least two characters before the asterisk.",
    zh: "/names?name={名称开头}*：名称以此开头的机构的前缀；星号之前至少两个字符。",
};
const HELP_OTHERS: Text = Text {
    en: "Parameters that are not known are ignored. Accept-Language chooses English or Chinese.",
    zh: "未知参数将被忽略。由 Accept-Language 选择英文或中文。",
};
const LOGIN: Text = Text { en: "Login", zh: "登录" };
const LOGIN_BASIC: Text = Text {
    en: "Who holds a principal of this node logs in by Basic over TLS: its name, and a token as the password. Every reading of what is said of people is noted.",
    zh: "持有本节点主体的用户可经 TLS 以 Basic 方式登录：用户名为主体名，密码为令牌。每次读取个人信息都会记录。",
};
const LOGIN_DIGEST: Text = Text {
    en: "Digest is not offered: it needs the password or a hash that stands for it, and this node keeps neither of a token.",
    zh: "不提供 Digest：它需要保存密码或可替代密码的散列，而本节点对令牌两者都不保存。",
};
const STATES: Text = Text { en: "States of items", zh: "各项内容的状态" };
const STATE_PRIVATE: Text = Text {
    en: "private: never shown without a login, whether it is held or not.",
    zh: "private：未登录时一律不显示，也不表明是否持有。",
};
const STATE_REDACTED: Text = Text { en: "redacted: held, and left out.", zh: "redacted：持有但已略去。" };
const STATE_OBSCURED: Text = Text { en: "obscured: shown in part.", zh: "obscured：只显示一部分。" };
