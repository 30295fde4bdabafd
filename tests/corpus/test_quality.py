"""Language, quality, privacy and script, against texts whose truth is known."""

from __future__ import annotations

import base64
import random
import re
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

from zhufeng.corpus._documents import judged as judged_document
from zhufeng.corpus.joining import JoinConfig, compose
from zhufeng.corpus.quality import Judged, QualityConfig, judge, language_model
from zhufeng.corpus.quality._privacy import find
from zhufeng.corpus.quality._script import is_japanese
from zhufeng.records import Document, Segment

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "src/zhufeng/route/demo/texts"

# One story in many languages.
STORY = {
    "en": "Yesterday we found an old tower in the forest, which used to serve as a lookout. From "
    "the top you can see the whole valley and even the mountains on the horizon. In the evening "
    "we walked back into town and had dinner together. It was a beautiful day, though it rained.",
    "de": "Gestern haben wir im Wald einen alten Turm gefunden, der früher als Wachturm diente. "
    "Von oben sieht man das ganze Tal und sogar die Berge am Horizont. Am Abend sind wir zu Fuß "
    "zurück in die Stadt gegangen und haben zusammen gegessen. Es war ein sehr schöner Tag.",
    "fr": "Hier nous avons trouvé une vieille tour dans la forêt, qui servait autrefois de poste "
    "de garde. D'en haut on voit toute la vallée et même les montagnes à l'horizon. Le soir nous "
    "sommes rentrés à pied en ville et nous avons mangé ensemble. C'était une belle journée.",
    "es": "Ayer encontramos en el bosque una torre antigua que servía de puesto de guardia. Desde "
    "arriba se ve todo el valle y hasta las montañas en el horizonte. Por la noche volvimos "
    "andando a la ciudad y cenamos juntos. Fue un día muy bonito, aunque llovió un poco.",
    "ru": "Вчера мы нашли в лесу старую башню, которая раньше служила сторожевым постом. Сверху "
    "видна вся долина и даже горы на горизонте. Вечером мы пешком вернулись в город и вместе "
    "поужинали. Это был очень хороший день, хотя иногда шёл дождь.",
    "vi": "Hôm qua chúng tôi tìm thấy một tòa tháp cổ trong rừng, trước đây được dùng làm trạm "
    "gác. Từ trên cao có thể nhìn thấy toàn bộ thung lũng và cả những ngọn núi ở phía chân trời. "
    "Buổi tối chúng tôi đi bộ về thành phố và ăn cơm cùng nhau.",
    "fi": "Eilen löysimme metsästä vanhan tornin, joka toimi aikoinaan vartiopaikkana. Ylhäältä "
    "näkyy koko laakso ja jopa vuoret taivaanrannassa. Illalla kävelimme takaisin kaupunkiin ja "
    "söimme yhdessä. Se oli todella kaunis päivä, vaikka välillä satoi.",
    "ar": "وجدنا أمس في الغابة برجا قديما كان يستخدم في الماضي كنقطة حراسة. من الأعلى يمكن رؤية "
    "الوادي كله وحتى الجبال في الأفق. في المساء عدنا سيرا على الأقدام إلى المدينة وتناولنا "
    "العشاء معا. كان يوما جميلا جدا رغم المطر.",
    "hi": "कल हमें जंगल में एक पुराना टावर मिला, जो पहले पहरेदारी के लिए इस्तेमाल होता था। ऊपर से "
    "पूरी घाटी और क्षितिज पर पहाड़ भी दिखाई देते हैं। शाम को हम पैदल शहर लौटे और साथ में खाना खाया।",
    "ko": "어제 우리는 숲에서 오래된 탑을 발견했습니다. 예전에는 망루로 쓰였다고 합니다. 위에서는 "
    "골짜기 전체와 멀리 있는 산까지 보입니다. 저녁에는 걸어서 시내로 돌아와 함께 식사를 했습니다.",
    "ja": "昨日、私たちは森の中で古い塔を見つけました。昔は見張り台として使われていたそうです。"
    "上からは谷全体と、遠くの山々まで見えます。夕方には歩いて町に戻り、一緒に食事をしました。",
    "th": "เมื่อวานนี้เราพบหอคอยเก่าแก่ในป่า ซึ่งเคยใช้เป็นหอสังเกตการณ์ จากด้านบนสามารถมองเห็นหุบเขาทั้งหมด"
    "และภูเขาที่เส้นขอบฟ้า ตอนเย็นเราเดินกลับเข้าเมืองและกินข้าวด้วยกัน เป็นวันที่ดีมากแม้ว่าฝนจะตกเล็กน้อย",
    "zh": "昨天我们在森林里发现了一座古老的塔，以前是用来当瞭望台的。从上面可以看到整个山谷，"
    "甚至能看到远处的群山。傍晚我们走路回到城里，一起吃了晚饭。虽然中间下了一点雨，但这是非常美好的一天。",
}
TRADITIONAL = (
    "昨天我們在森林裡發現了一座古老的塔，以前是用來當瞭望臺的。從上面可以看到整個山谷，甚至能看到"
    "遠處的群山。傍晚我們走路回到城裡，一起吃了晚飯。雖然中間下了一點雨，但這是非常美好的一天。"
)

CHANCE = random.Random(7)
NOISE = {
    "menu": "Home About Products Services Pricing Blog Contact Login Register Search Cart Help "
    "FAQ Privacy Terms Cookies Careers Press Partners Support Download Language Deutsch Français "
    "Español Share Tweet Follow Subscribe Newsletter RSS Archive Categories Tags Top Latest",
    "chinese menu": "首页 新闻 体育 财经 娱乐 科技 汽车 房产 教育 时尚 旅游 "
    "健康 游戏 视频 图片 博客 论坛 登录 注册 帮助 广告 服务 隐私 招聘 客服 地图 天气 邮箱",
    "numbers": " ".join(str(CHANCE.randrange(10**6)) for _ in range(100)),
    "symbols": " ".join("".join(CHANCE.choices("#@$a%^&*b~|", k=6)) for _ in range(60)),
    "lines": "Click here to subscribe to the channel that we have made for you.\n" * 30,
    "chinese lines": "请点击这里订阅我们的频道，谢谢大家的支持。\n" * 30,
    "words": "buy now " * 100,
    "chinese words": "快来买" * 60,
    "base64": base64.b64encode(CHANCE.randbytes(900)).decode(),
    "base64 lines": base64.encodebytes(CHANCE.randbytes(900)).decode(),
    "hexadecimal": CHANCE.randbytes(200).hex(" "),
    "damaged": "\ufffd\ufffd\ufffd hello \ufffd world, this is the \ufffd text of a broken file",
    "table": "\n".join(f"{CHANCE.random():.4f} | {CHANCE.random():.4f}" for _ in range(30)),
    "loop": "Thank you. " * 40,
    "chinese list": "苹果香蕉橘子葡萄西瓜草莓菠萝樱桃芒果柠檬土豆番茄黄瓜茄子辣椒白菜萝卜洋葱"
    "大蒜生姜牛肉羊肉猪肉鸡肉鱼肉虾仁螃蟹豆腐鸡蛋牛奶面包米饭面条馒头饺子包子油条豆浆咖啡红茶",
    "controls": "\x01\x02 this is\x00 the text of a file that \x07 was never a text\ufffe at all",
}
# A word a line is no slide.
NOISE["index"] = NOISE["menu"].replace(" ", "\n")
NOISE["chinese index"] = NOISE["chinese menu"].replace(" ", "\n") * 2

# News, verses and slides are short of the words that prose has.
TERSE = (
    "本节介绍卷积神经网络基本结构，包括卷积层、池化层、全连接层，并讨论常用激活函数及其优缺点。",
    "广州市房地产中介协会分析称，今年三月份二手住宅成交量环比上升百分之二十，价格保持平稳。",
    (
        "风急天高猿啸哀，渚清沙白鸟飞回。无边落木萧萧下，不尽长江滚滚来。"
        "万里悲秋常作客，百年多病独登台。艰难苦恨繁霜鬓，潦倒新停浊酒杯。"
    ),
    "千山鸟飞绝，万径人踪灭。孤舟蓑笠翁，独钓寒江雪。红豆生南国，春来发几枝。愿君多采撷，此物最相思。",
    (
        "卷积神经网络\n卷积层提取局部特征\n池化层缩小特征图\n全连接层输出类别\n"
        "激活函数引入非线性\n批归一化加速训练\n随机失活防止过拟合\n数据增强扩大训练集"
    ),
    (
        "Gradient descent converges slowly\nMomentum accelerates training\n"
        "Adam adapts learning rates\nWeight decay regularizes parameters\n"
        "Warmup stabilizes early steps\nCosine schedule reduces rates\n"
        "Large batches need scaling\nMixed precision saves memory\nGradient clipping limits spikes"
    ),
)
# Made-up headlines, as newspapers shorten them: hardly a sign that is not Chinese.
HEADLINES = [
    "東京五輪組織委員会会長が辞任表明",
    "日銀、追加利上げを決定　植田総裁会見",
    "首相、衆院解散を表明　総選挙は来月投開票",
    "台風接近で九州新幹線運転見合わせ",
    "大阪地裁、国に賠償命令　石綿訴訟",
    "国会会期延長へ与野党攻防激化",
    "今年度補正予算案が参院本会議で可決、成立",
    "東京モーターショー開幕",
    "「賃上げ実現を」連合会長会見",
]

plain = partial(judge, config=QualityConfig())


@pytest.mark.parametrize("lang", STORY)
def test_a_good_text_keeps_its_language_and_breaks_no_rule(lang: str) -> None:
    judged = plain(STORY[lang])
    assert judged.lang == lang
    assert judged.lang_score is not None
    assert judged.lang_score > 0.8
    assert judged.quality_reasons == ()
    assert judged.text == STORY[lang]


# Numbered rules are full of the names of tests.
RULES = {ROOT / "docs" / name for name in ("formats.md", "hdl-semantics.md")}
PROSE = sorted(set((ROOT / "docs").glob("[b-z]*.md")) - RULES)


@pytest.mark.parametrize(
    "path",
    [*sorted(TEXTS.glob("*.txt")), *PROSE, ROOT / "LICENSE"],
    ids=lambda path: path.name,
)
def test_prose_of_this_project_is_good(path: Path) -> None:
    judged = plain(path.read_text(encoding="utf-8"))
    assert judged.quality_reasons == ()
    assert judged.lang == ("zh" if path.stem.endswith("-zh") else "en")
    assert judged.pii == {}


@pytest.mark.parametrize("text", TERSE)
def test_terse_texts_need_no_words_that_only_prose_has(text: str) -> None:
    assert plain(text).quality_reasons == ()


def test_two_letters_weigh_as_a_word_where_words_are_counted() -> None:
    quality = plain("天气好，我们走。OK then — 3 times").quality
    # A mark is a unit of its own within Chinese, and no word anywhere.
    assert (quality["words"], quality["units"]) == (3 + 4, 6 + 1 + 5)
    # Of six letters: 16 times are 48 words, 32 times 96, where repetition is judged from 60.
    assert plain("他和我在一起" * 16).quality_reasons == ()
    assert plain("他和我在一起" * 32).quality_reasons != ()


@pytest.mark.parametrize("kind", ["slide", "speech"])
def test_stop_words_are_not_asked_of_slides_alone(kind: str) -> None:
    row = NOISE["menu"]
    slide = Segment(t0=0, t1=5, kind=kind, text=row)  # type: ignore[arg-type]
    said = Segment(t0=0, t1=1, kind="speech", text="Menu", suppressed_by="slide at 0.0")
    judged = judge(row, [slide, said], config=QualityConfig(), compose=compose)
    stop_words = [one for one in judged.quality_reasons if one.startswith("stop_words")]
    assert bool(stop_words) == (kind == "speech")


@pytest.mark.parametrize(
    "text", ["That was great \U0001fae8", "\U0001fae8 OK", "好的 \U0001fae8\U0001fae9", "a\ufffd b"]
)
def test_a_sign_newer_than_the_tables_and_a_short_text_are_not_damaged(text: str) -> None:
    assert plain(text).quality_reasons == ()


def test_what_no_version_assigns_is_damage_and_what_one_may_is_none() -> None:
    # U+2FFFE and U+FDD0 are noncharacters; U+0378 and U+1FAE8 are open to new signs.
    assert plain("ab\U0002fffe\ufdd0").quality["damaged_share"] == 0.5
    assert plain("ab\u0378\U0001fae8").quality["damaged_share"] == 0


@pytest.mark.parametrize("kind", NOISE)
def test_what_is_no_text_is_told_with_its_reason(kind: str) -> None:
    assert plain(NOISE[kind]).quality_reasons


def test_each_noise_is_told_for_what_is_wrong_with_it() -> None:
    def reasons(kind: str) -> set[str]:
        return {reason.split()[0] for reason in plain(NOISE[kind]).quality_reasons}

    assert {"digit_share", "letter_share"} <= reasons("numbers")
    assert "symbol_share" in reasons("symbols")
    assert "duplicate_line_share" in reasons("lines") & reasons("chinese lines")
    assert "top_2_gram_share" in reasons("words") & reasons("chinese words")
    assert "long_word_share" in reasons("base64") & reasons("base64 lines")
    assert "stop_words" in reasons("menu") & reasons("chinese menu") & reasons("chinese list")
    assert "stop_words" in reasons("index")
    assert reasons("damaged") == reasons("controls") == {"damaged_share"}


@pytest.mark.parametrize("lang", ["zh", "ja", "th"])
def test_no_rule_of_words_is_asked_of_a_text_without_spaces(lang: str) -> None:
    together = re.sub(r"\s", "", STORY[lang]) * 3
    judged = plain(together)
    assert "mean_word_length" not in judged.quality
    # An English rule would take it for a few words as long as sentences.
    assert not any("word" in reason for reason in judged.quality_reasons)


@pytest.mark.parametrize(
    "text",
    ["one", "Hello, 珠峰.", "谢谢大家", "# mark", "row 17", "x" * 9, "Attention\nSoftmax\nKeys"],
)
def test_a_short_text_is_not_held_to_rules_of_long_ones(text: str) -> None:
    assert plain(text).quality_reasons == ()


def test_counts_by_hand() -> None:
    quality = plain("ab cd 12 #\nab cd 12 #\n").quality
    # Of 14 signs 8 are letters, 4 digits and 2 symbols; the second line came before.
    assert quality["letter_share"] == pytest.approx(8 / 14, abs=1e-4)
    assert quality["digit_share"] == pytest.approx(4 / 14, abs=1e-4)
    assert quality["symbol_share"] == pytest.approx(2 / 14, abs=1e-4)
    assert quality["duplicate_line_share"] == 0.5
    assert quality["mean_word_length"] == 2
    assert quality["units"] == 8
    # "ab cd" twice is 8 of the 14 signs; no five words come twice.
    assert quality["top_2_gram_share"] == pytest.approx(8 / 14, abs=1e-4)
    assert quality["duplicate_5_gram_share"] == 0


def test_two_chinese_characters_count_as_a_word() -> None:
    # Three characters come twice: no four in a row do, and two in a row are one word.
    assert plain("天气好天气好").quality["top_2_gram_share"] == 0
    assert plain("今天天气好今天天气好").quality["top_2_gram_share"] == pytest.approx(0.8)


def test_a_text_in_two_languages_is_of_the_one_that_says_more() -> None:
    english, chinese = STORY["en"], STORY["zh"]
    assert plain(f"{english}\n{english}\n{chinese}").lang == "en"
    assert plain(f"{chinese}\n{chinese}\n{english}").lang == "zh"
    mixed = plain(
        "今天我们讲 attention 机制。Transformer 里面每个 token 都会看其他的 token，算出权重。"
    )
    assert mixed.lang == "zh"
    assert plain("我们用PyTorch训练一个Transformer模型，然后看loss").lang == "zh"
    half = plain(f"{english}\n{chinese}").lang_score
    assert half is not None
    assert half < 0.7


def test_languages_may_be_chosen_and_filtering_left() -> None:
    chosen = judge(STORY["de"], config=QualityConfig(languages=("en", "zh")))
    assert chosen.quality_reasons == ("language de not among en, zh",)
    free = judge(NOISE["numbers"], config=QualityConfig(filter=False))
    assert free.quality_reasons == ()
    assert free.quality == plain(NOISE["numbers"]).quality


def test_the_language_model_is_the_one_in_the_package() -> None:
    assert language_model().stat().st_size == 938013


# Numbers that the tests make by the published rules, written anew.


def luhn_digit(digits: str) -> str:
    """ISO/IEC 7812-1: doubled every second digit from the right, cast out the nines."""
    total = sum(
        (2 * int(digit) - 9 if int(digit) > 4 else 2 * int(digit)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def identity(chance: random.Random) -> str:
    """GB 11643-1999; the check by ISO 7064 MOD 11-2, in its recursive form."""
    born = date(1950, 1, 1) + timedelta(days=chance.randrange(25000))
    digits = f"{chance.choice((110105, 310115, 440305))}{born:%Y%m%d}{chance.randrange(1000):03}"
    product = 0
    for digit in digits:
        product = (product + int(digit)) * 2 % 11
    check = (12 - product) % 11
    return digits + ("X" if check == 10 else str(check))


def account(chance: random.Random) -> str:
    """ISO 13616: two digits that make the number, its head moved to its end, 1 modulo 97."""
    digits = "".join(chance.choices("0123456789", k=18))
    return f"DE{98 - int(digits + '131400') % 97:02}{digits}"


def card(chance: random.Random) -> str:
    head = chance.choice(("4", "51")) + "".join(chance.choices("0123456789", k=14))
    return head[:15] + luhn_digit(head[:15])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("make", "kind"), [(identity, "id"), (account, "iban"), (card, "card")])
def test_numbers_with_a_right_check_are_scrubbed_and_wrong_ones_are_not(
    make: object, kind: str, seed: int
) -> None:
    assert callable(make)
    chance = random.Random(seed)
    number = make(chance)
    assert plain(f"It is {number}, he said.").text == f"It is <{kind.upper()}>, he said."
    assert plain(f"号码是{number}。").pii == {kind: 1}
    # Each of these checks finds every single wrong digit.
    place = chance.randrange(4 if kind == "iban" else 1, 15)
    wrong = str((int(number[place]) + chance.randint(1, 9)) % 10)
    assert kind not in plain(f"It is {number[:place]}{wrong}{number[place + 1 :]}.").pii


PERSONAL = {
    "email": [
        *("jane.doe+news@example.co.uk", "josé@exemple.fr", "a_b-c@mail.example.com"),
        *("li@tsinghua.edu.cn", "x.y@sub.domain.org"),
        *("john.doe @ gmail.com", "li @ tsinghua.edu.cn"),
    ],
    "phone": [
        *("13800138000", "138-0013-8000", "+86 138 0013 8000", "0086 13800138000"),
        *("010-62751234", "0755-26012345", "（010）62751234", "+44 20 7946 0958"),
        *("+44 (0)20 7946 0958", "+1 (415) 555-2671", "415-555-2671", "(415) 555-2671"),
        *("+33 6 12 34 56 78", "+4915112345678"),
        *("212 555 0123", "1 212 555 0123", "212 555-0123"),
    ],
    "ssn": ["078-05-1120"],
    "card": ["4111 1111 1111 1111", "5500-0055-5555-5559", "3782 822463 10005"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
    "ip": ["93.184.216.34", "8.8.8.8"],
    "id": ["11010519491231002X", "110105 19491231 002X"],
}


@pytest.mark.parametrize(
    ("kind", "datum"), [(kind, datum) for kind, data in PERSONAL.items() for datum in data]
)
def test_personal_data_are_scrubbed_and_counted(kind: str, datum: str) -> None:
    placeholder = f"<{kind.upper()}>"
    for around in ("Write it down: {} and go on.", "请记下{}，谢谢。", "({})", "{}", "a\n{}\nb"):
        judged = plain(around.format(datum))
        assert judged.text == around.format(placeholder)
        assert judged.pii == {kind: 1}


def test_a_number_that_is_announced_is_a_telephones() -> None:
    assert plain("Tel: 030 1234567").text == "Tel: <PHONE>"
    assert plain("电话：62751234").text == "电话：<PHONE>"
    assert plain("the phone number is 555-0199 now").text == "the phone number is <PHONE> now"
    assert plain("手机13800138000,13900139000。").pii == {"phone": 2}
    assert plain("mobile 612 345 678 in Spain").text == "mobile <PHONE> in Spain"


@pytest.mark.parametrize("login", ["user:pass", "john.doe%40x:s3cr3t!", "u:p@ss", "root:"])
@pytest.mark.parametrize("scheme", ["https", "postgres"])
def test_a_password_in_an_address_is_scrubbed_with_its_name(login: str, scheme: str) -> None:
    judged = plain(f"Fetch {scheme}://{login}@host.com:8080/a?b=1 now")
    if login.endswith(":"):
        # No password: nothing that opens a door.
        assert judged.text == f"Fetch {scheme}://{login}@host.com:8080/a?b=1 now"
        return
    assert judged.text == f"Fetch {scheme}://<LOGIN>@host.com:8080/a?b=1 now"
    assert judged.pii == {"login": 1}


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-15", "2024.01.15 12:30:45", "from 1990 to 2024, in 2001", "10-20-2020"),
        *("978-3-16-148410-0", "9783161484100", "ISO 8601-1:2019", "arXiv:2111.02114"),
        *("3.14159", "3.1415926535897932", "0.1234567890123456", "1e-5 0.0001", "1,234,567,890"),
        *("4096 8192 28672", "1024 2048 4096 8192", "4096 4096 4096 4096", "512 768 1024"),
        *("784-512-1024", "64 64 128 128 256 256", "17179869184 parameters", "17179869184"),
        *("version 1.2.3.4", "v1.23.45.67", "1.2.3.4", "Section 3.2.1.4", "10.0.0.1, 192.168.1.1"),
        *("RTX 4090 and H100-80GB-SXM5", "iPhone 15 128 2023", "7B 13B 70B 175B"),
        *("12 + 345 = 357", "x = 2 +12345678901", "13476839424 bytes", "1 800 000 000 tokens"),
        *("q@k.transpose(-2,-1)", "x\n@torch.jit.script", "x@w.to(device)", "W@x.T", "@property"),
        *("000-12-3456", "4111 1111 1111 1112", "110105194912310021", "1234567890"),
        *("GB82 WEST 1234 5698 7654 33", "commit 4a1b2c3d4e5f67890123456789", "1700000000000"),
        *("mobile 100 000 000 users", "fax is 300 000 000 dollars", "phone 100000000 users"),
        *("mobile 1 250 000 buyers", "mobile 123 456 789 users", "tel 95 million"),
        *("250 300 1500", "640 480 1280", "row 212 555 0123 4567", "911 555 0123", "112 555 0123"),
        *("x @ self.net", "W @ x.T", "h @ model.page", "http://host:8080，作者@张三"),
        *("pages 123-456", "the year 1984, 2001", "150 2023 2024", "127.0.0.1:8080"),
    ],
)
def test_numbers_that_are_nobodys_stay(text: str) -> None:
    judged = plain(text)
    assert (judged.text, judged.pii) == (text, {})


def pieces(
    text: str, cut: int, kinds: tuple[str | None, str | None] = (None, None)
) -> list[Segment]:
    return [
        Segment(t0=0, t1=1, kind="speech", text=text[:cut], suppressed_by=kinds[0]),
        Segment(t0=1, t1=2, kind="speech", text=text[cut:], suppressed_by=kinds[1]),
    ]


@pytest.mark.parametrize("number", ["13800138000", "11010519491231002X", "4111111111111111"])
@pytest.mark.parametrize("suppressed", [(None, None), (None, "subtitle at 1.0")])
def test_what_two_segments_share_does_not_leak(
    number: str, suppressed: tuple[str | None, str | None]
) -> None:
    for cut in range(1, len(number)):
        segments = pieces(f"It is {number} I say", 6 + cut, suppressed)
        judged = judge(compose(segments), segments, config=QualityConfig(), compose=compose)
        everything = judged.text + "".join(one.text for one in judged.segments)
        assert not re.search(r"\d", everything)
        assert "It is" in judged.text


@pytest.mark.parametrize("cut", ["jane.doe@", "jane.doe", "jane.doe@example", "jane.doe@example."])
def test_an_address_that_two_segments_share_does_not_leak(cut: str) -> None:
    segments = pieces("Write to jane.doe@example.com today", len("Write to ") + len(cut))
    judged = judge(compose(segments), segments, config=QualityConfig(), compose=compose)
    assert judged.text == "Write to <EMAIL> today"
    assert judged.pii == {"email": 1}


def test_segments_and_text_are_scrubbed_alike_and_counted_once() -> None:
    mail = "ask jane@example.com"
    segments = [
        Segment(t0=0, t1=1, kind="subtitle", text=mail),
        Segment(t0=0, t1=1, kind="speech", text=mail, suppressed_by="subtitle at 0.0"),
        Segment(t0=2, t1=9, kind="slide", text="Call\n138 0013 8000"),
    ]
    judged = judge(compose(segments), segments, config=QualityConfig(), compose=compose)
    assert [one.text for one in judged.segments] == [
        *("ask <EMAIL>", "ask <EMAIL>", "Call\n<PHONE>")
    ]
    assert judged.text == "ask <EMAIL>\n\nCall\n<PHONE>"
    assert judged.pii == {"email": 1, "phone": 1}
    left = judge(compose(segments), segments, config=QualityConfig(scrub=False), compose=compose)
    assert left.text == compose(segments)
    assert left.segments == tuple(segments)
    assert left.pii == {}


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "a.",
            "a@",
            "a @",
            "@ ",
            "1",
            "1 ",
            "1-",
            "+1 ",
            "(",
            "tel ",
            "电话",
            "GB82 ",
            "1.1.",
        ),
        *("138 ", "1234 5678 ", "\n", "a-@a.", "x@a.b-", "电话号码", "+", "86 ", "http://"),
        *("://a:", "://a:b@", "「の", "212 555 ", "phone 1 "),
    ],
)
def test_a_long_text_made_to_be_searched_long_comes_to_an_end(unit: str) -> None:
    # Searching that grew with the square of the length would take many minutes.
    assert len(find(unit * (50_000 // len(unit)))) < 50_000


# Script


def script_of(text: str, **settings: str) -> Judged:
    return judge(text, config=QualityConfig(**settings))  # type: ignore[arg-type]


def test_traditional_becomes_simplified_and_the_original_is_kept() -> None:
    judged = plain(TRADITIONAL)
    assert judged.text == STORY["zh"]
    assert (judged.script, judged.original_text) == ("traditional", TRADITIONAL)
    back = script_of(STORY["zh"], script="traditional")
    assert back.text == TRADITIONAL
    assert back.original_text == STORY["zh"]


def test_what_is_simplified_or_is_to_be_kept_is_not_touched() -> None:
    judged = plain(STORY["zh"])
    assert (judged.text, judged.script, judged.original_text) == (STORY["zh"], "simplified", None)
    kept = script_of(TRADITIONAL, script="keep")
    assert (kept.text, kept.script, kept.original_text) == (TRADITIONAL, "traditional", None)


def test_japanese_is_never_converted() -> None:
    text = f"{STORY['ja']}\n東京都渋谷区\n関東地方の観光案内\n國際學會"
    judged = plain(text)
    assert (judged.lang, judged.text, judged.script) == ("ja", text, None)
    quote = "\n日本語では「図書館へ行きます」と言います。"
    assert plain(TRADITIONAL * 4 + quote).text == STORY["zh"] * 4 + quote
    assert plain("The tower of 東京 in 關東 is high, and we saw it.").original_text is None


@pytest.mark.parametrize("text", HEADLINES)
def test_a_headline_with_hardly_a_kana_is_japanese(text: str) -> None:
    assert is_japanese(text)
    assert (plain(text).lang, plain(text).text) == ("ja", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "老師說「ありがとうございます」是謝謝的意思，這個詞我們每天都會用到。",
            "老师说「ありがとうございます」是谢谢的意思，这个词我们每天都会用到。",
        ),
        ("日語的「図書館、學校へ行きます」怎麼說？", "日语的「図書館、學校へ行きます」怎么说？"),
        (
            "這部動畫《けいおん！》講述了輕音樂部五名女高中生的日常生活，很受歡迎。",
            "这部动画《けいおん！》讲述了轻音乐部五名女高中生的日常生活，很受欢迎。",
        ),
        ("昨天我們去唱歌，那家店叫カラオケ館。她說很開心。", None),
    ],
)
def test_chinese_that_quotes_japanese_is_converted_around_it(
    text: str, expected: str | None
) -> None:
    judged = plain(text)
    assert judged.lang == "zh"
    assert judged.script == "traditional"
    assert judged.text == (expected or "昨天我们去唱歌，那家店叫カラオケ館。她说很开心。")
    assert judged.original_text == text


def test_simplified_chinese_that_quotes_japanese_stays_chinese() -> None:
    text = "他在日本住了三年，学会了说「ありがとうございます」和「すみません」。"
    judged = plain(text)
    assert (judged.lang, judged.text, judged.original_text) == ("zh", text, None)


def document(text: str, *segments: Segment) -> Document:
    return Document(
        doc_id="a" * 64,
        source_uri="talk.mp4",
        content_sha256="b" * 64,
        bytes=1,
        text=text,
        segments=segments,
    )


def test_a_document_keeps_its_original_where_the_script_changed_and_only_there() -> None:
    spoken = Segment(t0=0, t1=20, kind="speech", text=f"{TRADITIONAL}請寫信給 jane@example.com 。")
    shown = Segment(t0=20, t1=29, kind="slide", text=STORY["zh"])
    source = document(compose([spoken, shown]), spoken, shown)
    changed = judged_document(source, QualityConfig(), JoinConfig())
    scrubbed = f"{TRADITIONAL}請寫信給 <EMAIL> 。"
    assert changed.original_text == f"{scrubbed}\n\n{STORY['zh']}"
    assert changed.text == f"{STORY['zh']}请写信给 <EMAIL> 。\n\n{STORY['zh']}"
    assert [one.original for one in changed.segments] == [scrubbed, None]
    # A plain text has no segments to keep it.
    note = judged_document(document(TRADITIONAL), QualityConfig(), JoinConfig())
    assert (note.text, note.original_text) == (STORY["zh"], TRADITIONAL)


@pytest.mark.parametrize("text", [STORY["zh"], STORY["ja"], STORY["en"], "Ask jane@example.com."])
def test_a_document_whose_script_is_right_has_no_original(text: str) -> None:
    segment = Segment(t0=0, t1=9, kind="speech", text=text)
    for source in (document(text), document(text, segment)):
        judged = judged_document(source, QualityConfig(), JoinConfig())
        assert judged.original_text is None
        assert all(one.original is None for one in judged.segments)
        assert judged.text == text.replace("jane@example.com", "<EMAIL>")


def test_chinese_within_another_language_is_converted_by_segment() -> None:
    english = Segment(t0=0, t1=9, kind="speech", text=STORY["en"])
    chinese = Segment(t0=9, t1=12, kind="speech", text="這個機器學習的問題很難")
    segments = [english, chinese]
    judged = judge(compose(segments), segments, config=QualityConfig(), compose=compose)
    assert judged.lang == "en"
    assert judged.segments[1].text == "这个机器学习的问题很难"
    assert judged.originals == (None, chinese.text)
    assert judged.text == f"{english.text} 这个机器学习的问题很难"
    assert judged.original_text == compose(segments)


def test_an_original_leaks_nothing() -> None:
    judged = plain(f"{TRADITIONAL}請寫信給 jane@example.com 謝謝。")
    assert judged.original_text is not None
    assert "jane" not in judged.original_text + judged.text
    assert judged.pii == {"email": 1}


@pytest.mark.parametrize("text", ["", " \n", "\u0301", "。", "१२", "\u0e31"])
def test_texts_of_nothing_are_judged_too(text: str) -> None:
    judged = plain(text)
    assert judged.text == text
    assert judged.segments == ()
