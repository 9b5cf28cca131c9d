"""What real clients send behind the request line: browsers, scripts, libraries, crawlers and probes.

Written down as these clients send them to a plain HTTP address, names and order included, because a server that only
recognises one spelling would look better than it is. ``Host`` stands where the client puts it.
"""

_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
_EDGE = f"{_CHROME} Edg/131.0.0.0"
_ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
_SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15"
)
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
_WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/122.0.6261.120 Mobile Safari/537.36 XWEB/1220099 MMWEBSDK/20240404 "
    "MicroMessenger/8.0.49.2600(0x2800315A) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
)
_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9"
_HOST = ("Host", "id.example.org:8000")
_ANY = ("Accept", "*/*")
_ALIVE = ("Connection", "keep-alive")
_GZIP = ("Accept-Encoding", "gzip, deflate")

CLIENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "Chrome, the address bar": (
        _HOST, _ALIVE, ("Cache-Control", "max-age=0"), ("Upgrade-Insecure-Requests", "1"), ("User-Agent", _CHROME),
        ("Accept", f"{_PAGE},image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"),
        _GZIP, ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8"),
    ),
    "Chrome, fetch() of a page": (
        _HOST, _ALIVE, ("User-Agent", _CHROME), _ANY, ("Referer", "http://id.example.org:8000/portal/"),
        _GZIP, ("Accept-Language", "zh-CN,zh;q=0.9"),
    ),
    "Edge": (
        _HOST, _ALIVE, ("Upgrade-Insecure-Requests", "1"), ("User-Agent", _EDGE), ("Accept", f"{_PAGE},*/*;q=0.8"),
        _GZIP, ("Accept-Language", "de,de-DE;q=0.9,en;q=0.8"),
    ),
    "Chrome on Android": (
        _HOST, _ALIVE, ("User-Agent", _ANDROID), ("Accept", f"{_PAGE},image/avif,*/*;q=0.8"), _GZIP,
        ("Accept-Language", "zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7"),
    ),
    "Firefox": (
        _HOST, ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"),
        ("Accept", f"{_PAGE},*/*;q=0.8"), ("Accept-Language", "en-US,en;q=0.5"), _GZIP, _ALIVE,
        ("Upgrade-Insecure-Requests", "1"), ("Priority", "u=0, i"),
    ),
    "Firefox, XMLHttpRequest": (
        _HOST, ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"),
        ("Accept", "application/json, text/javascript, */*; q=0.01"), ("Accept-Language", "zh-CN,zh;q=0.8,en;q=0.5"),
        _GZIP, ("X-Requested-With", "XMLHttpRequest"), _ALIVE, ("Referer", "http://id.example.org:8000/"),
    ),
    "Safari": (
        _HOST, ("Upgrade-Insecure-Requests", "1"), ("Accept", f"{_PAGE},*/*;q=0.8"), ("User-Agent", _SAFARI),
        ("Accept-Language", "en-GB,en;q=0.9"), _GZIP, _ALIVE,
    ),
    "Safari on iPhone": (
        _HOST, ("Accept", f"{_PAGE},*/*;q=0.8"), ("User-Agent", _IPHONE), ("Accept-Language", "zh-CN,zh-Hans;q=0.9"),
        _GZIP, _ALIVE,
    ),
    "WeChat": (
        _HOST, _ALIVE, ("User-Agent", _WECHAT), ("Accept", f"{_PAGE},image/wxpic,image/tpg,*/*;q=0.8"),
        ("X-Requested-With", "com.tencent.mm"), _GZIP, ("Accept-Language", "zh-CN,zh;q=0.9,en-US;q=0.8"),
    ),
    "curl 8": (_HOST, ("User-Agent", "curl/8.11.0"), _ANY),
    "curl 7, wanting JSON": (_HOST, ("User-Agent", "curl/7.88.1"), ("Accept", "application/json")),
    "Wget": (_HOST, ("User-Agent", "Wget/1.21.3"), _ANY, ("Accept-Encoding", "identity"), ("Connection", "Keep-Alive")),
    "HTTPie": (_HOST, ("User-Agent", "HTTPie/3.2.4"), _GZIP, _ANY, _ALIVE),
    "PYHANDLE (requests)": (
        _HOST, ("User-Agent", "python-requests/2.32.3"), ("Accept-Encoding", "gzip, deflate, br"),
        ("Accept", "application/json"), _ALIVE,
    ),
    "Python httpx": (_HOST, _ANY, _GZIP, _ALIVE, ("User-Agent", "python-httpx/0.27.2")),
    "Python aiohttp": (_HOST, _ANY, _GZIP, ("User-Agent", "Python/3.11 aiohttp/3.11.2")),
    "Java HttpURLConnection": (
        ("User-Agent", "Java/17.0.12"), _HOST, ("Accept", "text/html, image/gif, image/jpeg, */*; q=0.2"), _ALIVE,
    ),
    "Java, Apache HttpClient": (
        ("Accept", "application/json"), _HOST, ("Connection", "Keep-Alive"),
        ("User-Agent", "Apache-HttpClient/4.5.14 (Java/11.0.25)"), ("Accept-Encoding", "gzip,deflate"),
    ),
    "Java, OkHttp": (_HOST, ("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip"), ("User-Agent", "okhttp/4.12.0")),
    "Java HttpClient (11 and later)": (_HOST, ("User-Agent", "Java-http-client/21.0.5")),
    "Go": (_HOST, ("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")),
    "Node.js, axios": (
        ("Accept", "application/json, text/plain, */*"), ("User-Agent", "axios/1.7.7"),
        ("Accept-Encoding", "gzip, compress, deflate, br"), _HOST, _ALIVE,
    ),
    "Node.js, fetch()": (
        ("host", "id.example.org:8000"), ("connection", "keep-alive"), ("accept", "*/*"), ("accept-language", "*"),
        ("sec-fetch-mode", "cors"), ("user-agent", "node"), ("accept-encoding", "gzip, deflate"),
    ),
    "C#": (_HOST,),
    "PHP, Guzzle": (_HOST, ("User-Agent", "GuzzleHttp/7")),
    "Postman": (
        ("User-Agent", "PostmanRuntime/7.42.0"), _ANY, ("Postman-Token", "6f1c2c1e-4b7e-4b8e-9a1f-0d6f1f0b8d11"),
        _HOST, ("Accept-Encoding", "gzip, deflate, br"), _ALIVE,
    ),
}  # fmt: skip
"""Who sends what, in order."""

HEADER_SETS: tuple[str, ...] = tuple(
    "".join(f"{name}: {value}\r\n" for name, value in headers) for headers in CLIENTS.values()
)
"""The header lines, ready for a request."""
