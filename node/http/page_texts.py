"""Page texts: every sentence of the pages, in both languages side by side."""

LANGUAGES = ("zh", "en")

TEXTS: dict[str, tuple[str, str]] = {
    "html_lang": ("zh-CN", "en"),
    "other": ("English", "中文"),
    "title": ("标解 · 标识解析二级节点", "Biaojie · identifier resolution node"),
    "node": ("标识解析二级节点", "Secondary node for identifier resolution"),
    "welcome": (
        "这里登记并解析工业互联网标识。输入一个标识，查看它指向哪里、由谁登记了哪些信息。",
        "Identifiers of the industrial internet are registered and resolved here. Enter one to see what it stands for.",
    ),
    "serves": ("本节点前缀", "Prefix of this node"),
    "enter": ("标识，例如 {example}", "Identifier, e.g. {example}"),
    "resolve": ("解析", "Resolve"),
    "links": ("开发者入口", "For developers"),
    "openapi": ("OpenAPI 接口描述", "OpenAPI description"),
    "site": ("节点信息（HS_SITE）", "Node information (HS_SITE)"),
    "json": ("JSON 格式", "as JSON"),
    "values": ("公开值", "Public values"),
    "no_values": (
        "该标识已登记，但没有可公开的值。",
        "The identifier is registered, but none of its values is public.",
    ),
    "index": ("索引", "Index"),
    "type": ("类型", "Type"),
    "data": ("内容", "Data"),
    "ttl": ("缓存时间", "Time to live"),
    "until": ("至 {date}", "until {date}"),
    "changed": ("更新时间", "Changed"),
    "version": ("版本", "Version"),
    "elsewhere": ("由其他节点登记", "Registered at another node"),
    "binary": ("二进制，{size} 字节", "binary, {size} bytes"),
    "seconds": ("{n} 秒", "{n} s"),
    "minutes": ("{n} 分钟", "{n} min"),
    "hours": ("{n} 小时", "{n} h"),
    "days": ("{n} 天", "{n} d"),
    "go": ("前往", "Go there"),
    "404": ("未找到该标识", "Identifier not found"),
    "404_text": (
        "本节点查不到该标识。",
        "This node finds no such identifier.",
    ),
    "404_next": (
        "请核对标识的每个字符，或向标签上的企业核实；新标识登记后即可解析。",
        "Check every character, or ask the company named on the label; a new one resolves as soon as it is registered.",
    ),
    "inactive": ("该前缀已停用", "Prefix not in use"),
    "inactive_text": (
        "该前缀的登记者声明其标识已不再使用。",
        "Whoever registered this prefix says that its identifiers are not in use any more.",
    ),
    "inactive_next": (
        "请向标签上的企业询问新的标识。",
        "Ask the company named on the label for the new identifier.",
    ),
    "circle": ("别名循环", "Aliases without an end"),
    "circle_text": (
        "该标识的别名（HS_ALIAS）互相指向，或没有尽头。",
        "The aliases (HS_ALIAS) of this identifier lead back to each other, or never end.",
    ),
    "circle_next": (
        "请告知登记该标识的企业；在地址后加 ?noredirect 可查看其公开值。",
        "Tell the company that registered it; with ?noredirect behind the address its public values are shown.",
    ),
    "unanswered": ("暂时无法解析", "No answer at the moment"),
    "unanswered_text": (
        "该标识由其他节点登记，那里现在没有给出可用的答复。",
        "The identifier is registered at another node, which gives no usable answer now.",
    ),
    "unanswered_next": (
        "标识本身可能没有问题，请稍后再试。",
        "Nothing need be wrong with the identifier; try again later.",
    ),
    "400": ("标识格式不正确", "Not an identifier"),
    "400_text": (
        "标识由前缀、“/”和后缀组成，例如 {example}；地址中的“%”须写作“%25”。",
        "An identifier is a prefix, a “/” and a suffix, e.g. {example}; a “%” is written “%25” in an address.",
    ),
    "400_next": ("请在下面重新输入。", "Enter it again below."),
}


def text(key: str, language: str, **facts: object) -> str:
    """One sentence; unknown languages are English."""
    chinese, english = TEXTS[key]
    return (chinese if language == "zh" else english).format(**facts)
