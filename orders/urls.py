"""Addresses of the trade page and of the customer's orders and fills, and of the table of fees."""

from django.urls import path

from orders import views

urlpatterns = [
    path("trade/", views.trade_home, name="trade_home"),
    path("trade/<str:symbol>/", views.Trade.as_view(), name="trade"),
    path("orders/", views.order_list, name="orders"),
    path("orders/cancel/", views.cancel_all, name="orders_cancel"),
    path("orders/<int:order_id>/", views.order_detail, name="order"),
    path("orders/<int:order_id>/change/", views.Change.as_view(), name="order_change"),
    path("orders/<int:order_id>/cancel/", views.cancel, name="order_cancel"),
    path("orders/lists/<int:list_id>/", views.order_list_detail, name="order_list"),
    path("fills/", views.fill_list, name="fills"),
    path("fees/", views.fees, name="fees"),
    path("terms/", views.terms, name="terms"),
]
