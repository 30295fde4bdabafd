"""Words that hardly a text of a language does without."""

from __future__ import annotations

# English: the eight of Gopher's rule (Rae et al. 2021, appendix A.1.1), and more that speech
# and slides use. The others: the commonest function words of their languages.
_TEXT = {
    "en": "the be to of and that have with a in is it for on this you we i are as",
    "de": "der die das und ist nicht ein eine zu in von mit auf für den es sie wir ich",
    "fr": "le la les de des et est un une que qui dans pour pas en du je nous il ce",
    "es": "el la los las de que y en un una es por con para no se lo su como",
    "it": "il la le di che e un una è per non in con si del della i sono come",
    "pt": "o a os as de que e do da em um uma é para com não se por no na",
    "nl": "de het een en van is dat in op te niet zijn met voor ik je we die",
    "sv": "och att det som en på är av för med inte jag den till ett vi har",
    "da": "og det at en er på for af til ikke med der den som vi jeg har et",
    "no": "og det er en på for av til ikke med som den vi jeg har et å",
    "fi": "ja on ei se että hän mutta oli ovat kun niin tai myös joka jos mitä",
    "pl": "i w na z do nie się że to jest o jak po co ale dla od przez",
    "cs": "a v na se je že to s z do o k jsem i ale jak pro co by",
    "ro": "și de la în a cu pe nu este că un o din mai pentru care se ce",
    "hu": "a az és hogy nem egy is van ez meg de csak volt mint már el",
    "tr": "ve bir bu da de için ile ne çok o ama gibi daha mi var kadar",
    "ru": "и в не на что я с он как это по но за то из у к все мы так",
    "uk": "і в не на що я з він як це по але за то до у та все ми так",
    "el": "και το να του η της με που από για ο είναι τα θα δεν στο",
    "ar": "في من على أن إلى لا هذا ما هو التي الذي كان عن مع و هذه",
    "hi": "के का में है की और से को पर यह कि एक नहीं हैं भी तो था",
    "id": "dan yang di itu dengan untuk tidak ini dari dalam pada adalah ke akan kita",
    "vi": "là và của có không cho một được trong với này đã người các những tôi",
    "zh": "的 一 是 不 了 在 有 我 他 这 這 个 個 们 們 和 就 也 到 说 說 你 与 與 及 或 之 为 為 "
    "其 并 並 以 于 於 将 將 从 從 而 被 但 等 对 對",
    "ja": "の に は を た が で て と し れ さ る も な",
}

STOP_WORDS = {lang: frozenset(text.split()) for lang, text in _TEXT.items()}
