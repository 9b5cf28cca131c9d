"""What real programs send with a GET, captured field by field; the host is ours."""

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537"
PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"

PLAIN: dict[str, tuple[tuple[str, str], ...]] = {
    "chrome-windows": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"),
        ("sec-ch-ua", '"Not)A;Brand";v="8", "Chromium";v="138", "Google Chrome";v="138"'),
        ("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", '"Windows"'), ("Upgrade-Insecure-Requests", "1"),
        ("User-Agent", CHROME), ("Accept", PAGE), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-User", "?1"), ("Sec-Fetch-Dest", "document"), ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8"),
    ),
    "chrome-with-cookies": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"), ("User-Agent", CHROME), ("Accept", PAGE),
        ("Accept-Encoding", "gzip, deflate"), ("Accept-Language", "en-US,en;q=0.9"),
        ("Cookie", "_ga=GA1.1.204.17; Hm_lvt_8b=1732259; JSESSIONID=0A1B2C3D4E5F; theme=dark"),
    ),
    "chrome-hard-reload": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"), ("Pragma", "no-cache"), ("Cache-Control", "no-cache"),
        ("Upgrade-Insecure-Requests", "1"), ("User-Agent", CHROME), ("Accept", PAGE),
        ("Accept-Encoding", "gzip, deflate"), ("Accept-Language", "de-DE,de;q=0.9"),
    ),
    "chrome-fetch-from-a-page": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"), ("sec-ch-ua-platform", '"macOS"'),
        ("User-Agent", CHROME), ("sec-ch-ua-mobile", "?0"), ("Accept", "*/*"), ("Origin", "https://factory.example.cn"),
        ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"),
        ("Referer", "https://factory.example.cn/"), ("Accept-Encoding", "gzip, deflate, br"),
        ("Accept-Language", "zh-CN,zh;q=0.9"),
    ),
    "firefox": (
        ("Host", "id.example.cn"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-US,en;q=0.5"), ("Accept-Encoding", "gzip, deflate, br, zstd"), ("DNT", "1"),
        ("Sec-GPC", "1"), ("Connection", "keep-alive"), ("Upgrade-Insecure-Requests", "1"),
        ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-User", "?1"), ("Priority", "u=0, i"),
    ),
    "safari-mac": (
        ("Host", "id.example.cn"), ("Upgrade-Insecure-Requests", "1"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("User-Agent", ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.5 Safari/605.1.15")),
        ("Accept-Language", "zh-CN,zh-Hans;q=0.9"), ("Accept-Encoding", "gzip, deflate"), ("Connection", "keep-alive"),
    ),
    "safari-iphone": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"), ("Upgrade-Insecure-Requests", "1"),
        ("User-Agent", ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
         "Gecko) Version/18.5 Mobile/15E148 Safari/604.1")),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-GB,en;q=0.9"), ("Priority", "u=0, i"), ("Accept-Encoding", "gzip, deflate"),
    ),
    "edge": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"),
        ("sec-ch-ua", '"Not)A;Brand";v="8", "Chromium";v="138", "Microsoft Edge";v="138"'),
        ("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", '"Windows"'), ("Upgrade-Insecure-Requests", "1"),
        ("User-Agent", CHROME + " Edg/138.0.0.0"), ("Accept", PAGE), ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8,en-GB;q=0.7,en-US;q=0.6"),
    ),
    "wechat": (
        ("Host", "id.example.cn"), ("Connection", "keep-alive"), ("Upgrade-Insecure-Requests", "1"),
        ("User-Agent", ("Mozilla/5.0 (Linux; Android 14; PJD110 Build/UKQ1) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260183 MMWEBSDK/20250201 MMWEBID/4181 "
         "MicroMessenger/8.0.58.2841(0x28003A3C) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64")),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/wxpic,image/tpg,image/webp,*/*;q=0.8"),
        ("X-Requested-With", "com.tencent.mm"), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"),
        ("Accept-Encoding", "gzip, deflate, br"), ("Accept-Language", "zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7"),
    ),
    "curl": (("Host", "id.example.cn"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*")),
    "curl-if-none-match": (
        ("Host", "id.example.cn"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"), ("If-None-Match", '"1"'),
    ),
    "curl-if-none-match-many": (
        ("Host", "id.example.cn"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"),
        ("If-None-Match", '"7", W/"1", "nothing"'),
    ),
    "curl-if-none-match-other": (
        ("Host", "id.example.cn"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"), ("If-None-Match", '"99"'),
    ),
    "curl-if-none-match-any": (("Host", "id.example.cn"), ("Accept", "*/*"), ("If-None-Match", "*")),
    "wget": (
        ("Host", "id.example.cn"), ("User-Agent", "Wget/1.25.0"), ("Accept", "*/*"), ("Accept-Encoding", "identity"),
        ("Connection", "Keep-Alive"),
    ),
    "pyhandle": (
        ("Host", "id.example.cn"), ("User-Agent", "python-requests/2.32.4"), ("Accept-Encoding", "gzip, deflate"),
        ("Accept", "*/*"), ("Connection", "keep-alive"), ("Content-Type", "application/json"),
    ),
    "httpx": (
        ("Host", "id.example.cn"), ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Connection", "keep-alive"), ("User-Agent", "python-httpx/0.28.1"),
    ),
    "aiohttp": (
        ("Host", "id.example.cn"), ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate, br"),
        ("User-Agent", "Python/3.13 aiohttp/3.12.15"),
    ),
    "java-httpurlconnection": (
        ("User-Agent", "Java/21.0.7"), ("Host", "id.example.cn"),
        ("Accept", "text/html, image/gif, image/jpeg, *; q=0.2, */*; q=0.2"), ("Connection", "keep-alive"),
    ),
    "apache-httpclient": (
        ("Accept", "application/json"), ("Accept-Encoding", "gzip, x-gzip, deflate"), ("Host", "id.example.cn"),
        ("Connection", "keep-alive"), ("User-Agent", "Apache-HttpClient/5.5 (Java/21.0.7)"),
    ),
    "okhttp": (
        ("Host", "id.example.cn"), ("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip"),
        ("User-Agent", "okhttp/4.12.0"),
    ),
    "go": (("Host", "id.example.cn"), ("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")),
    "node-fetch": (
        ("host", "id.example.cn"), ("connection", "keep-alive"), ("accept", "*/*"), ("accept-language", "*"),
        ("sec-fetch-mode", "cors"), ("user-agent", "node"), ("accept-encoding", "gzip, deflate"),
    ),
    "axios": (
        ("Accept", "application/json, text/plain, */*"), ("User-Agent", "axios/1.10.0"),
        ("Accept-Encoding", "gzip, compress, deflate, br"), ("Host", "id.example.cn"), ("Connection", "keep-alive"),
    ),
    "postman": (
        ("User-Agent", "PostmanRuntime/7.44.1"), ("Accept", "*/*"), ("Cache-Control", "no-cache"),
        ("Postman-Token", "5d1c2a6e-0c55-4b6e-9b0e-1f0a3f0c9d11"), ("Host", "id.example.cn"),
        ("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive"),
    ),
    "k6": (("Host", "id.example.cn"), ("User-Agent", "Grafana k6/1.1.0"), ("Accept-Encoding", "gzip")),
    "wrk": (("Host", "id.example.cn"),),
    "nginx-keepalive": (
        ("Host", "id.example.cn"), ("X-Real-IP", "203.0.113.9"), ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"),
    ),
    "another-node": (
        ("Host", "id.example.cn"), ("Accept", "application/json"), ("User-Agent", "biaojie"),
        ("CDN-Loop", "aa11223344556677; hops=1"), ("Via", "1.1 gateway"),
    ),
}  # fmt: skip
"""What is answered ahead of aiohttp."""

ASIDE: dict[str, tuple[tuple[str, str], ...]] = {
    "nginx-default-proxy": (("Host", "id.example.cn"), ("Connection", "close"), ("User-Agent", "curl/8.14.1")),
    "login": (("Host", "id.example.cn"), ("Authorization", "Basic MzAwOng6eQ=="), ("Accept", "*/*")),
    "curl-http2-upgrade": (
        ("Host", "id.example.cn"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"),
        ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
    ),
    "empty-body": (("Host", "id.example.cn"), ("Content-Length", "0"), ("Accept", "*/*")),
    "two-accepts": (("Host", "id.example.cn"), ("Accept", "text/html"), ("Accept", "*/*")),
    "utf-8-agent": (("Host", "id.example.cn"), ("User-Agent", "标解/1.0")),
}  # fmt: skip
"""What is aiohttp's."""


def head_of(fields: tuple[tuple[str, str], ...]) -> bytes:
    """Everything behind the target."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f" HTTP/1.1\r\n{lines}\r\n".encode()
