"""Addresses of orders in the API."""

from django.urls import path

from orders.api import lists, orders

urlpatterns = [
    path("orders/", orders.Orders.as_view()),
    path("orders/preview/", orders.Preview.as_view()),
    path("orders/<int:order_id>/", orders.OrderRow.as_view()),
    path("order-lists/", lists.OrderLists.as_view()),
    path("order-lists/preview/", lists.ListPreview.as_view()),
    path("order-lists/<int:list_id>/", lists.OrderListRow.as_view()),
    path("orders/<int:order_id>/events/", orders.OrderEvents.as_view()),
    path("orders/<int:order_id>/replace/", orders.Replace.as_view()),
    path("fills/", orders.Fills.as_view()),
    path("fees/", orders.Fees.as_view()),
]
