"""What can be made to go wrong between the sandbox and the application's endpoint."""

from __future__ import annotations

import random

from pydantic import BaseModel, ConfigDict, Field


class InteractionTrouble(BaseModel):
    """Everything off is Discord on a good day. Percentages are of interactions, chosen at random."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    duplicate_percent: float = Field(
        0, ge=0, le=100, description="Interactions that are delivered a second time, byte for byte."
    )
    duplicate_delay_ms: int = Field(
        0, ge=0, le=60_000, description="How long after the first delivery the second one starts."
    )
    lost_answer_percent: float = Field(
        0, ge=0, le=100, description="Answers that get lost on their way: the person sees a failure."
    )
    delivery_delay_ms: int = Field(
        0, ge=0, le=60_000, description="Latency in front of each delivery; it counts towards the deadline."
    )
    timestamp_skew_seconds: int = Field(
        0, ge=-86_400, le=86_400, description="Shift of X-Signature-Timestamp; the signature stays genuine."
    )
    bad_signature_probes: bool = Field(
        True, description="Send badly signed checks now and then; a failed one removes the endpoint URL."
    )
    probe_interval_seconds: float = Field(300, gt=0, le=86_400, description="Time between two such checks.")
    deadline_seconds: float = Field(
        3.0, gt=0, le=60, description="Time for the first response (Discord: 3 s)."
    )
    token_life_seconds: float = Field(
        900, gt=0, le=86_400, description="Life of an interaction token (Discord: 15 min)."
    )

    def strikes(self, percent: float) -> bool:
        """Whether this time is one of the `percent`."""
        return percent > 0 and random.random() * 100 < percent
