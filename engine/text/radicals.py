"""Ideographs that stand for radicals and for characters of the compatibility block.

PDF files often hold the signs of radicals in place of the kanji that look the same. NFKC knows the Kangxi radicals,
but not those of the supplement (U+2E80 to U+2EF3), nor the unified ideographs of the compatibility block.
"""

from __future__ import annotations

from typing import Final

_PAIRS: Final = """
⺁厂 ⺂乙 ⺃乙 ⺄乙 ⺅人 ⺆冂 ⺇几 ⺈刀 ⺉刀 ⺊卜 ⺋卩 ⺌小 ⺍小 ⺎尤 ⺏尤 ⺐尤 ⺑尤 ⺒巳 ⺓幺 ⺔彑
⺕彐 ⺖心 ⺗心 ⺘手 ⺙攴 ⺛旡 ⺜日 ⺝月 ⺞歹 ⺟母 ⺠民 ⺡水 ⺢水 ⺣火 ⺤爪 ⺥爪 ⺦丬 ⺧牛 ⺨犬 ⺩王
⺪疋 ⺫目 ⺬示 ⺭示 ⺮竹 ⺯糸 ⺰糸 ⺱网 ⺲网 ⺳网 ⺴网 ⺵网 ⺶羊 ⺷羊 ⺸羊 ⺹老 ⺺聿 ⺻聿 ⺼肉 ⺽臼
⺾艸 ⺿艸 ⻀艸 ⻁虎 ⻂衣 ⻃西 ⻄西 ⻅見 ⻆角 ⻇角 ⻈言 ⻉貝 ⻊足 ⻋車 ⻌辵 ⻍辵 ⻎辵 ⻏邑 ⻐金 ⻑長
⻒長 ⻓長 ⻔門 ⻕阜 ⻖阜 ⻗雨 ⻘青 ⻙韋 ⻚頁 ⻛風 ⻜飛 ⻝食 ⻞食 ⻟食 ⻠食 ⻡首 ⻢馬 ⻣骨 ⻤鬼 ⻥魚
⻦鳥 ⻧鹵 ⻨麦 ⻩黄 ⻪黽 ⻫斉 ⻬斉 ⻭歯 ⻮歯 ⻯竜 ⻰竜 ⻱亀 ⻲亀 ⻳亀 ⼾戸 ⿒歯 ⿓竜 ⿔亀 ⿊黒 ⿑斉
⿈黄 ⿆麦 ⾭青 﨑崎 﨔欅 﨟臈 﨣赳 﨤返
"""
RADICALS: Final = {pair[0]: pair[1] for pair in _PAIRS.split()}
"""The usual kanji for each; of the Kangxi radicals those that NFKC writes in old forms."""
