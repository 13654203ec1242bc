from typing import final

@final
class Arrays: ...
