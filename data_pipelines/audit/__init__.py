"""Audits: what is wrong with training data, before anyone trains on them.

`run.audit` is the whole of it. A collection (`dataset`, `unprepared`) gives its clips in chunks;
workers measure them and note a few numbers and a fingerprint of each (`examine`). What a clip shows
by itself is judged by rules (`finding`); what shows only among others is found from the notes:
copies and leakage (`copies`), captions (`texts`), licences (`rights`).
"""
