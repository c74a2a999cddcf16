import strawberry

from schema.conversation_mutations import ConversationMutations
from schema.document_mutations import DocumentMutations
from schema.membership_mutations import MembershipMutations
from schema.message_mutations import MessageMutations
from schema.session_mutations import SessionMutations
from schema.tenant_mutations import TenantMutations
from schema.user_mutations import UserMutations


@strawberry.type
class Mutation(
    SessionMutations,
    UserMutations,
    TenantMutations,
    MembershipMutations,
    ConversationMutations,
    MessageMutations,
    DocumentMutations,
):
    """Each takes one input, and answers what it changed, or `errors`."""
